"""A range of UTC days, and the range of the same length just before it, with which it is compared."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from logstats.models import DailyStatistics

_LAST_DAY = sa.select(sa.func.max(DailyStatistics.date))


class RangeTooLongError(Exception):
    """What is asked for is not given of so many days."""


@dataclass(frozen=True, slots=True)
class DateRange:
    """UTC days from `first` to `last`, both included."""

    first: dt.date
    last: dt.date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1

    @property
    def before(self) -> "DateRange | None":
        """The range of the same length that ends the day before; None where the calendar does not go back so far."""
        if self.first.toordinal() <= self.days:
            return None
        return DateRange(self.first - dt.timedelta(self.days), self.first - dt.timedelta(1))

    def __contains__(self, date: dt.date) -> bool:
        """Tell whether a day is in the range."""
        return self.first <= date <= self.last


async def resolve(
    connection: AsyncConnection, first: dt.date | None, last: dt.date | None
) -> DateRange | None:
    """Return the range that two parameters mean.

    Without `last` it ends with the last day that has data, or with `first` if there are none from there on; without
    `first` it is that last day alone: None if there is no data at all.
    """
    if first is not None and last is not None:
        return DateRange(first, last)
    newest: dt.date | None = (await connection.execute(_LAST_DAY)).scalar_one()
    if first is None:
        return None if newest is None else DateRange(newest, newest)
    return DateRange(first, max(first, newest or first))
