"""A latency histogram that can be added and subtracted exactly.

A percentile of a whole cannot be computed from percentiles of its parts, so every part keeps a histogram.
Buckets are log-linear, as in HdrHistogram (http://hdrhistogram.org): 16 384 to each power of two, over
integer microseconds. That is fine enough that every whole millisecond below 16.7 s has a bucket of its
own, so nearest-rank percentiles of millisecond logs are exact there; elsewhere they are within 0.01 %.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Self

from logstats import native

_EMPTY = b"\x01"


def nearest_rank(percent: int, count: int) -> int:
    """Return the 1-based rank ⌈percent · count / 100⌉ of a percentile among `count` sorted values."""
    return -(-percent * count // 100)


@dataclass(frozen=True, slots=True)
class LatencyHistogram:
    """An immutable histogram of durations in integer microseconds.

    Attributes
    ----------
    encoded
        The serialised form (`native/encoding.h`): pages of 64 whole milliseconds, packed, where enough of them
        are used; for each other used bucket the distance from the one before and the count, as LEB128 numbers.
        Equal histograms that this version has written are equal bytes. The size is bounded by the buckets (at
        most 381 048), whatever the number of requests.

    Examples
    --------
    >>> both = LatencyHistogram.of([120_000, 340_000]) + LatencyHistogram.of([560_000])
    >>> both.values_at([1, 2, 3])
    [120000, 340000, 560000]
    """

    encoded: bytes = _EMPTY

    @classmethod
    def of(cls, durations_us: Iterable[int]) -> Self:
        """Return the histogram of some durations (microseconds, 0 to 86 400 000 000)."""
        return cls(native.encode(list(durations_us)))

    @classmethod
    def of_rows(cls, rows: bytearray) -> tuple[Self, int]:
        """Return the sum of the rows that are whole, and how many bytes these have (`logstats.native.totals`).

        A `ValueError` if something is malformed.
        """
        encoded, length = native.sum_rows(rows)
        return cls(encoded), length

    def __add__(self, other: "LatencyHistogram") -> "LatencyHistogram":
        return LatencyHistogram(native.combine(self.encoded, other.encoded))

    def __sub__(self, other: "LatencyHistogram") -> "LatencyHistogram":
        """Take out what was added before; a `ValueError` if it was not."""
        return LatencyHistogram(native.combine(self.encoded, other.encoded, subtract=True))

    def __bool__(self) -> bool:
        return self.encoded != _EMPTY

    def __len__(self) -> int:
        """Return the number of durations recorded."""
        return native.values_at(self.encoded, ())[0]

    def values_at(self, ranks: Sequence[int]) -> list[int]:
        """Return the durations, in microseconds, at ascending 1-based ranks.

        A `ValueError` if they do not ascend within 1 to the number of durations, or the encoding is malformed.
        """
        total, values = native.values_at(self.encoded, ranks)
        if list(ranks) != sorted(ranks) or (ranks and not 1 <= ranks[0] <= ranks[-1] <= total):
            raise ValueError(f"ranks {list(ranks)} do not ascend within 1 to {total}")
        return values


def percentiles_of_groups(rows: bytearray, groups: int) -> list[tuple[int, ...]]:
    """Return p50, p90, p95 and p99 of each group's sum, in microseconds; zeros where it has no durations.

    They are those of `DailySummary.percentiles_us` before these are kept within minimum and maximum. `rows` are those of
    `logstats.native.totals`, all of them whole; a `ValueError` if something is malformed.
    """
    values = native.percentiles_of_groups(rows, groups)
    return list(zip(*(iter(values),) * 4, strict=True))
