import datetime as dt
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.statistics.periods import Interval, Periods
from logstats.domain.histogram import LatencyHistogram

DAY = st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31))
MILLISECONDS = st.integers(0, 8_000).map(lambda ms: ms * 1_000)
DURATIONS = st.lists(MILLISECONDS | st.none(), min_size=1, max_size=20) | st.lists(
    st.none(), min_size=1, max_size=2
)

Durations = list[int | None]


def row(date: dt.date | None, durations: Durations, revision: int = 7) -> tuple[Any, ...]:
    """A row of `statements.DAILY_SUMMARIES`."""
    if date is None:
        return ("a", revision, *[None] * 9)
    timed = [us for us in durations if us is not None]
    counts = (len(durations), 1, 0, len(durations) - len(timed))
    numbers = (Decimal(sum(timed)), min(timed, default=None), max(timed, default=None))
    return ("a", revision, date, *counts, *numbers, LatencyHistogram.of(timed).encoded)


def merged(interval: Interval, days: dict[dt.date, Durations]) -> dict[dt.date, tuple[Any, ...]]:
    periods = Periods(interval)
    for date in sorted(days):
        periods.add(row(date, days[date]))
    assert periods.revision == (7 if days else None)
    return {found[0]: found[1:] for found in periods.rows()}


def expected(durations: Durations, days: int) -> tuple[Any, ...]:
    """The numbers of a period, by brute force."""
    ordered = sorted(us for us in durations if us is not None)
    counts = (len(durations), days, 0, len(durations) - len(ordered))
    if not ordered:
        return (*counts, 0, *[None] * 5)
    ranks = (-(-percent * len(ordered) // 100) for percent in (50, 90, 95, 99))
    return (*counts, sum(ordered), *(ordered[rank - 1] for rank in ranks), ordered[-1])


def first_day(interval: Interval, date: dt.date, days: dict[dt.date, Durations]) -> dt.date:
    if interval is Interval.TOTAL:
        return min(days)
    if interval is Interval.MONTH:
        return dt.date(date.year, date.month, 1)
    year, week, _ = date.isocalendar()
    try:
        return dt.date.fromisocalendar(year, week, 1)
    except ValueError:  # it would be before the calendar
        return dt.date.min


@given(
    st.sampled_from([Interval.WEEK, Interval.MONTH, Interval.TOTAL]),
    st.dictionaries(DAY, DURATIONS, max_size=15),
)
def test_periods_equal_brute_force(interval: Interval, days: dict[dt.date, Durations]) -> None:
    wanted: dict[dt.date, tuple[Durations, int]] = {}
    for date, durations in days.items():
        start = first_day(interval, date, days)
        all_of_it, count = wanted.get(start, ([], 0))
        wanted[start] = (all_of_it + durations, count + 1)
    assert merged(interval, days) == {start: expected(*found) for start, found in wanted.items()}


def test_a_customer_without_days_has_no_period() -> None:
    periods = Periods(Interval.TOTAL)
    periods.add(row(None, []))
    assert (periods.rows(), periods.revision) == ([], 7)
