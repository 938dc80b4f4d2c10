"""Kernel design: numpy alone, with eight bytes loaded at a time from where the spaces are. One thread."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import Row, histograms

_MS = histograms.MILLISECONDS
_BLOCK = 8 << 20


def aggregate(path: Path, threads: int) -> list[Row]:  # noqa: ARG001 - numpy has one
    """No validation; customers are `cust_` and up to seven digits, durations `S.mmm`, as the generator writes."""
    groups: dict[tuple[int, int], NDArray[np.int64]] = {}
    with path.open("rb") as file:
        rest = b""
        while block := file.read(_BLOCK):
            data = rest + block
            end = data.rfind(b"\n") + 1
            rest = data[end:]
            _count(np.frombuffer(data[:end] + bytes(8), np.uint8), groups)
    result: list[Row] = []
    for (customer, date), counts in groups.items():
        names = [f"cust_{customer}"], [str(np.datetime64("1970-01-01") + date)]
        result += histograms.rows(*names, counts[:_MS], counts[_MS : _MS + 1], counts[_MS + 1 :])
    return result


def _count(data: NDArray[np.uint8], groups: dict[tuple[int, int], NDArray[np.int64]]) -> None:
    spaces = np.flatnonzero(data == 32).reshape(-1, 5)
    ends = np.flatnonzero(data == 10)
    words = np.lib.stride_tricks.as_strided(data.view(np.uint8), (len(data) - 7, 8), (1, 1))
    starts = np.concatenate(([0], ends[:-1] + 1))
    dates = words[starts].copy().view(np.uint64).ravel() ^ words[starts + 2].copy().view(
        np.uint64
    ).ravel() << np.uint64(1)
    _, first, day_of = np.unique(dates, return_index=True, return_inverse=True)
    days = [bytes(data[starts[at] : starts[at] + 10]).decode() for at in first]
    customer = np.zeros(len(ends), np.int64)
    length = spaces[:, 2] - spaces[:, 1] - 6
    for place in range(int(np.max(length))):
        digit = data[spaces[:, 1] + 6 + place].astype(np.int64) - 48
        customer = np.where(place < length, customer * 10 + digit, customer)
    hundreds = data[spaces[:, 3] + 1] - 48
    at = ends - 5
    milliseconds = sum(
        (
            (data[at + place].astype(np.int64) - 48) * scale
            for place, scale in ((0, 1000), (2, 100), (3, 10), (4, 1))
        ),
        start=np.int64(0),
    )
    names, customer_of = np.unique(customer, return_inverse=True)
    group = customer_of.astype(np.int64) * len(days) + day_of
    size = len(names) * len(days)
    found = np.empty((size, _MS + 2), np.int64)
    found[:, :_MS] = np.bincount(group * _MS + milliseconds, minlength=size * _MS).reshape(size, _MS)
    found[:, _MS] = np.bincount(group[hundreds == 4], minlength=size)
    found[:, _MS + 1] = np.bincount(group[hundreds == 5], minlength=size)
    for number, counts in enumerate(found):
        day = int((np.datetime64(days[number % len(days)]) - np.datetime64("1970-01-01")).astype(int))
        key = int(names[number // len(days)]), day
        groups[key] = groups[key] + counts if key in groups else counts
