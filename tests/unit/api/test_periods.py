import datetime as dt
from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from api.periods import Interval, Periods
from logstats.domain.histogram import LatencyHistogram

DAY = st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31))
DURATIONS = st.lists(st.integers(0, 8_000).map(lambda ms: ms * 1_000), min_size=1, max_size=20)


def row(date: dt.date | None, durations: list[int], revision: int = 7) -> tuple[Any, ...]:
    """A row of `statements.DAILY_SUMMARIES`."""
    if date is None:
        return ("a", revision, *[None] * 8)
    numbers = (len(durations), 1, 0, Decimal(sum(durations)), min(durations), max(durations))
    return ("a", revision, date, *numbers, LatencyHistogram.of(durations).encoded)


def merged(interval: Interval, days: dict[dt.date, list[int]]) -> dict[dt.date, tuple[Any, ...]]:
    periods = Periods(interval)
    for date in sorted(days):
        periods.add(row(date, days[date]))
    assert periods.revision == (7 if days else None)
    return {found[0]: found[1:] for found in periods.rows()}


def expected(durations: list[int], days: int) -> tuple[Any, ...]:
    """The numbers of a period, by brute force."""
    ordered = sorted(durations)
    ranks = (-(-percent * len(ordered) // 100) for percent in (50, 90, 95, 99))
    return (len(ordered), days, 0, sum(ordered), *(ordered[rank - 1] for rank in ranks), ordered[-1])


def first_day(interval: Interval, date: dt.date, days: dict[dt.date, list[int]]) -> dt.date:
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
def test_periods_equal_brute_force(interval: Interval, days: dict[dt.date, list[int]]) -> None:
    wanted: dict[dt.date, tuple[list[int], int]] = {}
    for date, durations in days.items():
        start = first_day(interval, date, days)
        all_of_it, count = wanted.get(start, ([], 0))
        wanted[start] = (all_of_it + durations, count + 1)
    assert merged(interval, days) == {start: expected(*found) for start, found in wanted.items()}


def test_a_customer_without_days_has_no_period() -> None:
    periods = Periods(Interval.TOTAL)
    periods.add(row(None, []))
    assert (periods.rows(), periods.revision) == ([], 7)
