"""Bind the arithmetic on encoded histograms; `logstats.domain.histogram` gives it its meaning."""

from collections.abc import Sequence
from ctypes import c_int

from logstats.native.library import Bytes, Output, Pointer, Signed, Size, Unsigned, bind, checked, returned

_VERSIONS = (1, 2)
"""See `encoding.h`."""
_MAX_DURATION_US = 86_400_000_000

histogram_encode = bind("histogram_encode", Signed, Pointer, Size, Output)
histogram_combine = bind("histogram_combine", Signed, Bytes, Size, Bytes, Size, c_int, Output)
histogram_values_at = bind("histogram_values_at", Signed, Bytes, Size, Pointer, Size, Pointer)


def encode(values: Sequence[int]) -> bytes:
    """Return the canonical histogram encoding of durations; a `ValueError` if one is not 0 to 86 400 000 000 µs."""
    if values and not 0 <= min(values) <= max(values) <= _MAX_DURATION_US:
        raise ValueError(f"a duration is not within 0 to {_MAX_DURATION_US} microseconds")
    return returned(histogram_encode, (Unsigned * len(values))(*values), len(values))


def combine(left: bytes, right: bytes, *, subtract: bool = False) -> bytes:
    """Return the encoded sum or difference of two encoded histograms.

    A `ValueError` if one is malformed, `right` is to be subtracted but holds values that `left` does not, or the sum would
    hold 2^63 values or more.
    """
    try:
        return returned(histogram_combine, left, len(left), right, len(right), -1 if subtract else 1)
    except ValueError as error:
        raise ValueError(_unknown_version(left) or _unknown_version(right) or str(error)) from None


def values_at(encoded: bytes, ranks: Sequence[int]) -> tuple[int, list[int]]:
    """Return the number of values of an encoded histogram, and the values at ascending 1-based ranks.

    A `ValueError` if it is malformed.
    """
    values = (Unsigned * len(ranks))()
    wanted = (Unsigned * len(ranks))(*ranks)
    total = histogram_values_at(encoded, len(encoded), wanted, len(ranks), values)
    if total < 0 and (problem := _unknown_version(encoded)):
        raise ValueError(problem)
    return checked(total), list(values)


def _unknown_version(encoded: bytes) -> str | None:
    """Say what is wrong with a histogram that other code has written."""
    if not encoded or encoded[0] in _VERSIONS:
        return None
    return f"a histogram of version {encoded[0]}, which this code does not know"
