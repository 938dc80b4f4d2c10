"""Bind the addition of contributions to daily statistics, as rows that PostgreSQL hands out and takes."""

from collections.abc import Sequence
from ctypes import byref, string_at
from itertools import accumulate, pairwise
from typing import NamedTuple

from logstats.native.library import (
    Bytes,
    Output,
    Pointer,
    Signed,
    Size,
    Unsigned,
    bind,
    checked,
    constant,
    kernel_free,
)

_COLUMNS = constant("merged_columns")
_KEY = 2

_merge = bind("rows_merge", Signed, Bytes, Size, Pointer, Size, Pointer, Pointer, Output)


class Merged(NamedTuple):
    """Hold days added up; columns are arrays in PostgreSQL's binary form, empty if there are no values.

    `columns` are `logstats.rows.KEY` and `COLUMNS` of the `days` sums, `postponed` the keys of days left out. `repeated` counts
    of each added attempt the rows that are not its first one of a day.
    """

    days: int
    columns: tuple[bytes, ...]
    postponed: tuple[bytes, ...]
    repeated: list[int]


def merge_rows(rows: bytes, added: Sequence[int]) -> Merged:
    """Add contributions to the statistics of their days; `logstats.h` says what the rows are (`rows_merge`).

    Left out are days to which an attempt contributes that is none of `added`, those whose breakdown is not of all their
    requests, and those that cannot be added up. A `ValueError` if the rows are malformed.
    """
    attempts, repeated = (Signed * len(added))(*added), (Unsigned * len(added))()
    lengths, out = (Unsigned * _COLUMNS)(), Pointer()
    try:
        days = checked(_merge(rows, len(rows), attempts, len(added), repeated, lengths, byref(out)))
        joined = memoryview(string_at(out, sum(lengths)) if out.value else b"")
    finally:
        kernel_free(out)
    arrays = [bytes(joined[start:end]) for start, end in pairwise(accumulate(lengths, initial=0))]
    return Merged(days, tuple(arrays[:-_KEY]), tuple(arrays[-_KEY:]), repeated[:])
