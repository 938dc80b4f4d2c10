"""Bind the arithmetic on encoded batches of summaries; `logstats.domain.batch` gives it its meaning."""

import struct
from collections.abc import Iterator
from typing import Any

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
    returned,
)

COUNTS = constant("summary_counts")
"""How many numbers a summary or a cell counts of its requests."""
_HEADER = struct.Struct(f"=iIII{COUNTS}Q4Q")
"""`summary_header`: day, lengths of customer, histogram and breakdown; counts; halves of the sum, minimum, maximum."""

Numbers = tuple[Any, ...]
"""A summary's counts, then sum, minimum and maximum of its durations in microseconds (see `logstats.rows`).

Minimum and maximum are None if there is no duration, the rest are integers."""
Record = tuple[bytes, int, Numbers, bytes, bytes]
"""The customer (UTF-8), the day (days since 1970-01-01), the numbers, the encoded histogram and breakdown (empty: none)."""

batch_add = bind("batch_add", Signed, Bytes, Size, Bytes, Size, Output)
batch_count = bind("batch_count", Signed, Bytes, Size, brief=True)
batch_percentiles = bind("batch_percentiles", Signed, Bytes, Size, Pointer)
batch_copy_rows = bind("batch_copy_rows", Signed, Bytes, Size, Signed, Signed, Output)


def add_batches(left: bytes, right: bytes) -> bytes:
    """Return the sum of two encoded batches of summaries of the same day; a `ValueError` if one is malformed."""
    return returned(batch_add, left, len(left), right, len(right))


def count_summaries(batch: bytes) -> int:
    """Return how many summaries an encoded batch holds; a `ValueError` if it is malformed."""
    return checked(batch_count(batch, len(batch)))


def percentiles(batch: bytes) -> list[int]:
    """Return p50, p90, p95 and p99 of each summary of a batch; a `ValueError` if it is malformed.

    In microseconds; 0 where no request has a duration.
    """
    values = (Unsigned * (4 * count_summaries(batch)))()
    checked(batch_percentiles(batch, len(batch), values))
    return values[:]


def copy_rows(batch: bytes, attempt_id: int, part: int) -> bytes:
    """Return an encoded batch as rows of binary COPY (`logstats.rows.COPY`); a `ValueError` if it is malformed."""
    return returned(batch_copy_rows, batch, len(batch), attempt_id, part)


def records(batch: bytes) -> Iterator[Record]:
    """Yield the summaries of an encoded batch."""
    at, end = 0, len(batch)
    while at < end:
        day, customer_length, histogram_length, breakdown_length, *numbers = _HEADER.unpack_from(batch, at)
        *counts, low, high, least, most = numbers
        at += _HEADER.size
        customer = batch[at : at + customer_length]
        at += customer_length
        histogram = batch[at : at + histogram_length]
        at += histogram_length
        breakdown = batch[at : at + breakdown_length]
        at += breakdown_length
        extremes = (least, most) if least <= most else (None, None)  # of no durations
        yield customer, day, (*counts, high << 64 | low, *extremes), histogram, breakdown
