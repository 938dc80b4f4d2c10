"""Bind the arithmetic on encoded breakdowns; `logstats.domain.breakdown` gives it its meaning."""

import struct
from collections.abc import Iterator, Sequence
from ctypes import (
    POINTER,
    Array,
    byref,
    c_char_p,
    c_int,
    c_size_t,
    c_uint,
    create_string_buffer,
    string_at,
)
from typing import NamedTuple

from logstats.native.batch import COUNTS
from logstats.native.library import (
    HASH_KEY,
    Bytes,
    Output,
    Pointer,
    Signed,
    Size,
    Unsigned,
    bind,
    checked,
    kernel_free,
    returned,
)

SLOTS, ROUTES, STATUSES = 1, 2, 4
"""The parts of a breakdown, as bits."""
SLOTS_A_DAY = 48
_VALUES = 5
_ITEM = struct.Struct(f"=6I{COUNTS}Q2Q{_VALUES}Q")
"""`listed_item`"""

_combine = bind("breakdown_combine", Signed, Bytes, Size, Bytes, Size, c_int, c_int, Output)
_total = bind("breakdown_total", Signed, Bytes, Size, brief=True)
_items = bind("breakdown_items", Signed, Bytes, Size, Output, POINTER(Size))
_sum = bind("breakdown_sum", Signed, Pointer, Pointer, Size, Bytes, Size, c_uint, Unsigned, Unsigned, Output)
_add_cells = bind("cell_add", Signed, Bytes, Size, Bytes, Size, Pointer, Output)


class Kept(NamedTuple):
    """Say what is kept of a breakdown: the parts, as bits, and the declared routes, as `compile_routes` returns them."""

    parts: int = 0
    routes: bytes = b""


NOTHING, EVERYTHING = Kept(), Kept(SLOTS | ROUTES | STATUSES)


class CellNumbers(NamedTuple):
    """The numbers of a cell: its counts (as in a summary); its durations' sum, percentiles and maximum, in microseconds.

    Percentiles are those of the summary; they and the maximum are 0 where no request has a duration.
    """

    counts: tuple[int, ...]
    duration_sum_us: int
    percentiles_us: tuple[int, ...]
    duration_max_us: int


class Item(NamedTuple):
    """A cell of a breakdown, of a slot or a route, or the number of requests of a status code (`counts[0]`)."""

    part: int
    key: int | bytes
    numbers: CellNumbers
    encoded: bytes


def combine_breakdowns(left: bytes, right: bytes, *, subtract: bool = False, bounded: bool = False) -> bytes:
    """Return the encoded sum or difference of two encoded breakdowns; it is empty if they keep no part in common.

    A sum can be `bounded` to the routes that one log object may contribute. A `ValueError` if one is malformed, `right` is to be
    subtracted but was not added, or the sum would be of 2^63 requests or more.
    """
    return returned(_combine, left, len(left), right, len(right), -1 if subtract else 1, bounded)


def breakdown_total(encoded: bytes) -> int:
    """Return how many requests an encoded breakdown is of; a `ValueError` if its head is malformed."""
    return checked(_total(encoded, len(encoded)))


def breakdown_items(encoded: bytes) -> Iterator[Item]:
    """Yield the slots, routes and status codes of an encoded breakdown; a `ValueError` if it is malformed."""
    names_length, out = Size(), Pointer()
    try:
        length = checked(_items(encoded, len(encoded), byref(out), byref(names_length)))
        listed = string_at(out, length) if length else b""
    finally:
        kernel_free(out)
    end = length - names_length.value
    for part, key, name_length, at, cell_length, _, *numbers in _ITEM.iter_unpack(listed[:end]):
        name = listed[end + key : end + key + name_length] if part == ROUTES else key
        yield Item(part, name, _numbers(numbers), encoded[at : at + cell_length])


def add_cells(left: bytes, right: bytes) -> tuple[bytes, CellNumbers]:
    """Return the encoded sum of two encoded cells, and its numbers; a `ValueError` if one is malformed."""
    item = create_string_buffer(_ITEM.size)
    encoded = returned(_add_cells, left, len(left), right, len(right), item)
    return encoded, _numbers(_ITEM.unpack(item.raw)[6:])


def sum_breakdowns(
    breakdowns: Sequence[bytes], route: bytes | None = None, parts: int = EVERYTHING.parts
) -> bytes:
    """Return the encoded sum of encoded breakdowns, with none but these parts; it is empty if they keep none in common, or there are none.

    Given a route (its name, without a sign that it is declared), only that route is summed up, and nothing else is kept. Memory
    follows the sum. A `ValueError` if a breakdown is malformed.
    """
    rows, lengths = breakdown_arrays(breakdowns)
    return returned(_sum, rows, lengths, len(breakdowns), route, len(route or b""), parts, *HASH_KEY)


def _numbers(values: Sequence[int]) -> CellNumbers:
    low, high, *durations, longest = values[COUNTS:]
    return CellNumbers(tuple(values[:COUNTS]), high << 64 | low, tuple(durations), longest)


def breakdown_arrays(breakdowns: Sequence[bytes]) -> tuple[Array[c_char_p], Array[c_size_t]]:
    """Return arrays of pointers and lengths; the bytes must stay while they are used."""
    count = len(breakdowns)
    return (c_char_p * count)(*breakdowns), (Size * count)(*map(len, breakdowns))
