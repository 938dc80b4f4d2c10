"""A range of UTC days, and the range of the same length just before it, with which it is compared."""

import datetime as dt
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from logstats.models import DailyStatistics

_LAST_DAY = sa.select(sa.func.max(DailyStatistics.date))


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

    def __str__(self) -> str:
        """Return the days for people."""
        return f"{self.first}" if self.first == self.last else f"{self.first} to {self.last}"

    def __contains__(self, date: dt.date) -> bool:
        """Tell whether a day is in the range."""
        return self.first <= date <= self.last


async def newest_day(connection: AsyncConnection) -> dt.date | None:
    """Return the last day with data; None if there are none."""
    newest: dt.date | None = (await connection.execute(_LAST_DAY)).scalar_one()
    return newest


async def resolve_from(connection: AsyncConnection, first: dt.date, last: dt.date | None) -> DateRange:
    """Return the range from a day to another; without that, to the last day with data, or else of one day."""
    if last is None:
        last = max(first, await newest_day(connection) or first)
    return DateRange(first, last)


async def resolve(
    connection: AsyncConnection, first: dt.date | None, last: dt.date | None
) -> DateRange | None:
    """Return the same; without a first day the last day with data alone, and None if there are no data."""
    if first is not None:
        return await resolve_from(connection, first, last)
    newest = await newest_day(connection)
    return None if newest is None else DateRange(newest, newest)
