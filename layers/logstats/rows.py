"""Daily summaries as rows: the columns in their order, the way in and out, and the comparison.

The columns derive from the fields of `DailySummary`, and everything that stores, copies, reads or compares summaries
derives from here. The kernel writes the same order by itself (`native/batch.c`).
"""

from collections.abc import Iterator, Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

from logstats.domain.breakdown import Breakdown
from logstats.domain.histogram import LatencyHistogram
from logstats.domain.summary import PERCENTILES, DailySummary

Row = tuple[Any, ...]

_ENCODED = ("histogram", "breakdown")
NUMBERS = tuple(field.name for field in fields(DailySummary) if field.name not in _ENCODED)
SUMMARY = (*NUMBERS, *_ENCODED)
"""The columns that make a `DailySummary`."""
_EXTREMES = ("duration_min_us", "duration_max_us")
SUMS = tuple(name for name in NUMBERS if name not in _EXTREMES)
"""The columns that add up as numbers: the counts, and the sum of the durations."""
_PERCENTILES = tuple(f"duration_p{percent}_us" for percent in PERCENTILES)
SHOWN = (*SUMS, *_PERCENTILES, "duration_max_us")
"""The columns that people are shown."""
COLUMNS = (*SUMMARY, *_PERCENTILES)
"""All columns of a summary: also the percentiles, which follow from the others."""
NULLABLE = frozenset({*_EXTREMES, *_PERCENTILES, "breakdown"})
"""The columns that are null where no request has a duration, or where there is no breakdown."""
KEY = ("customer_id", "date")
COPY = ("attempt_id", *KEY, "part", *COLUMNS)
"""The columns of a contribution as the kernel writes them (`SummaryBatch.copy_rows`)."""

_stored = attrgetter(*NUMBERS, "histogram.encoded")


def columns(table: type, names: Sequence[str] = SUMMARY) -> Row:
    """Return the named columns of a mapped class, for a statement."""
    return tuple(getattr(table, name) for name in names)


def to_summary(values: Sequence[Any]) -> DailySummary:
    """Make a summary of the values of `SUMMARY`."""
    *numbers, histogram, breakdown = values
    return DailySummary(  # type: ignore[call-arg]  # as many as its fields
        *numbers, LatencyHistogram(histogram), None if breakdown is None else Breakdown(breakdown)
    )


_sums = attrgetter(*SUMS)


def to_shown(summary: DailySummary, percentiles_us: Sequence[int | None] | None = None) -> Row:
    """Return the values of `SHOWN`, with the summary's own percentiles or others."""
    percentiles = summary.percentiles_us() if percentiles_us is None else percentiles_us
    return (*_sums(summary), *percentiles, summary.duration_max_us)


def from_summary(summary: DailySummary) -> Row:
    """Return the values of `COLUMNS`."""
    breakdown = summary.breakdown and summary.breakdown.encoded
    values: Row = (*_stored(summary), breakdown, *summary.percentiles_us())
    return values


def differences(names: Sequence[str], expected: Sequence[Any], stored: Sequence[Any]) -> Iterator[str]:
    """Compare the values of two rows, and say for people where they differ."""
    for name, right, found in zip(names, expected, stored, strict=True):
        if right == found:
            continue
        if name == "breakdown":
            yield "the breakdown is another"
        elif name != "histogram":
            yield f"{name} is {found}, not {right}"
        elif not _are_equal(right, found):
            yield "the histogram is another"


def _are_equal(expected: bytes, stored: bytes) -> bool:
    """Compare histograms whose bytes differ: another version may have written one of them."""
    try:
        return not LatencyHistogram(stored) - LatencyHistogram(expected)
    except ValueError:
        return False
