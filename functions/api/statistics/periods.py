"""Days of one customer merged into weeks, months or one total.

Percentiles cannot be merged; the histograms they come from can, exactly (`logstats.domain.histogram`).
"""

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from logstats import rows
from logstats.domain.summary import DailySummary


class Interval(StrEnum):
    """The length of the periods that days are divided or merged into. Weeks are those of ISO 8601: from Monday."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    TOTAL = "total"


_FIRST_DAYS: Mapping[Interval, Callable[[dt.date], dt.date]] = {
    Interval.WEEK: lambda date: dt.date.fromordinal(max(1, date.toordinal() - date.weekday())),
    Interval.MONTH: lambda date: date.replace(day=1),
}


def first_day(interval: Interval, date: dt.date) -> dt.date:
    """Return the first day of the week or month of a date; otherwise the date."""
    return _FIRST_DAYS[interval](date) if interval in _FIRST_DAYS else date


class Periods:
    """Takes days in the order of their dates; merges one period at a time.

    Rows are those of `statements.DAILY_SUMMARIES`; `rows()` gives those of `representation.fields`.

    Attributes
    ----------
    revision
        The customer's; None until a row has told it.
    """

    def __init__(self, interval: Interval) -> None:
        self.revision: int | None = None
        self._first_day = _FIRST_DAYS.get(interval)
        self._closed: list[tuple[Any, ...]] = []
        self._period: dt.date | None = None
        self._sum: DailySummary | None = None

    def add(self, row: Sequence[Any]) -> None:
        """Take the next day."""
        _customer_id, self.revision, date, *columns = row
        if date is None:
            return
        day = rows.to_summary((*columns, None))
        period = self._first_day(date) if self._first_day else self._period or date
        if self._sum is not None and period == self._period:
            self._sum += day
        else:
            self._close()
            self._period, self._sum = period, day

    def rows(self) -> list[tuple[Any, ...]]:
        """Return a row for each period that has requests; its date is the period's first day.

        The total's date is the first day that has requests.
        """
        self._close()
        return self._closed

    def _close(self) -> None:
        """Keep of a finished period what is shown: histograms are large."""
        total, self._sum = self._sum, None
        if total is not None:
            self._closed.append((self._period, *rows.to_shown(total)))
