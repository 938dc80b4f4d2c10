"""Bind the sums of half-hours by period, written as text; `api.statistics.half_hours` gives them their meaning."""

import ctypes
from collections.abc import Sequence

from logstats.native.breakdown import SLOTS_A_DAY, breakdown_arrays
from logstats.native.library import Bytes, Output, Pointer, Signed, Size, bind, returned

TEXTS = 17
"""Go around the values of a row (`period_texts` in `logstats.h`)."""


class _Texts(ctypes.Structure):
    _fields_ = (("texts", Pointer), ("lengths", Pointer), ("label_length", Size), ("key_length", Size))


_periods = bind("breakdown_periods", Signed, Pointer, Pointer, Size, Bytes, ctypes.POINTER(_Texts), Output)


def write_periods(
    breakdowns: Sequence[bytes], labels: bytes, key_length: int, texts: Sequence[bytes]
) -> bytes:
    """Add the slots of encoded breakdowns up to periods, and return a row of text for each that has requests.

    Parameters
    ----------
    labels
        48 labels of one length for each breakdown, one for each of its half-hours, in the order of time; one of NUL bytes leaves it out.
    key_length
        The bytes at a label's beginning that say to which period it belongs. Its row has the first of its labels.
    texts
        What is written before the label, before each of the 13 numbers, behind a row, between rows, and for no value. The numbers
        are those of the API's `CustomerStatistics`, from `total_requests` to `duration_max`.

    Raises
    ------
    ValueError
        If a breakdown is malformed, or keeps no slots.
    """
    if len(texts) != TEXTS:
        raise ValueError(f"{len(texts)} texts are not {TEXTS}")
    slots = SLOTS_A_DAY * len(breakdowns)
    label_length = len(labels) // slots if slots else 0
    if label_length * slots != len(labels) or key_length > label_length:
        raise ValueError(f"{len(labels)} bytes are no labels of {slots} half-hours")
    rows, lengths = breakdown_arrays(breakdowns)
    texts_at, texts_lengths = breakdown_arrays(texts)
    around = _Texts(
        ctypes.cast(texts_at, Pointer), ctypes.cast(texts_lengths, Pointer), label_length, key_length
    )
    return returned(_periods, rows, lengths, len(breakdowns), labels, ctypes.byref(around))
