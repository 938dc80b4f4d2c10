"""Bind sums and percentiles of histograms as PostgreSQL sends them; `logstats.domain.histogram` gives them their meaning.

Rows are those of ``COPY ... TO STDOUT (FORMAT BINARY)`` without its header: a group (integer) and an encoded histogram
(bytea). Nothing is copied, and no Python object is made of a row.
"""

from ctypes import byref, c_char, c_uint32

from logstats.native.library import Output, Pointer, Signed, Size, Unsigned, bind, checked, returned

rows_sum = bind("rows_sum", Signed, Pointer, Size, Pointer, Output)
rows_percentiles = bind("rows_percentiles", Signed, Pointer, Size, c_uint32, Pointer)


def sum_rows(rows: bytearray) -> tuple[bytes, int]:
    """Return the encoded sum of all rows that are whole, and their length in bytes, the trailer included.

    A `ValueError` if something is malformed, or the sum would hold 2^63 values or more.
    """
    consumed, first = Unsigned(), _first_byte(rows)
    total = returned(rows_sum, byref(first), len(rows), byref(consumed))
    return total, consumed.value


def percentiles_of_groups(rows: bytearray, groups: int) -> list[int]:
    """Return p50, p90, p95 and p99 of each group from 0 on, in microseconds; 0 for a group without durations.

    A `ValueError` if something is malformed or not whole, a group is not below `groups`, or a sum would hold 2^63 values or
    more.
    """
    values, first = (Unsigned * (4 * groups))(), _first_byte(rows)
    checked(rows_percentiles(byref(first), len(rows), groups, values))
    return values[:]


def _first_byte(rows: bytearray) -> c_char:
    """Return the first of the bytes, which cannot be resized as long as this lives."""
    return c_char.from_buffer(rows) if rows else c_char()
