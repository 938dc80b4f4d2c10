"""One customer's statistics: what is asked of them, and the rendered answer with its validator."""

import datetime as dt
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers.cache import LRUCache
from api.answers.ranges import DateRange
from api.answers.representation import Format, RenderedAnswer, fields, render
from api.answers.revisions import Revisions
from api.database.reader import Reader
from api.statistics.half_hours import View, write
from api.statistics.periods import Interval, Periods
from api.statistics.statements import DAILY_BREAKDOWNS, DAILY_STATISTICS, DAILY_SUMMARIES
from api.statistics.zones import UTC, utc_days
from logstats.native import SLOTS

MAX_HOURLY_DAYS, MAX_ZONED_DAYS = 366, 1_098
"""Days that one answer divides: by the hour, 3 MB of JSON; into periods of a zone, three years."""

_FETCH_SIZE = 100  # rows of up to 400 kB, mostly of 5


class TooManyDaysError(Exception):
    """More days are asked for than one answer divides."""


@dataclass(frozen=True, slots=True)
class StatisticsQuery:
    """Statistics of a customer from a day to a day, both included.

    The revision aside, the answer depends on nothing else.
    """

    customer_id: str
    first: dt.date
    last: dt.date
    interval: Interval = Interval.DAY
    form: Format = Format.JSON
    zone: str = UTC

    @property
    def needs_slots(self) -> bool:
        """Tell whether half-hours make the answer; days of UTC are stored as they are."""
        return self.interval is Interval.HOUR or self.zone != UTC

    @property
    def days(self) -> DateRange:
        """The days of the zone that are asked for."""
        return DateRange(self.first, self.last)

    @property
    def parameters(self) -> dict[str, object]:
        """The parameters of the statement."""
        return {"customer_id": self.customer_id, "first": self.first, "last": self.last}


class Statistics:
    """Answers queries from the database."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def answer(self, query: StatisticsQuery, deadline: float | None = None) -> RenderedAnswer:
        """Return the statistics, and the revision that they are of: one statement reads both.

        Parameters
        ----------
        deadline
            As for `Reader.run`.

        Raises
        ------
        DatabaseUnavailableError
            If the database does not answer in time.
        TooManyDaysError
            If more days would have to be divided than an answer may.
        UnsupportedOffsetError
            If half-hours do not fit the zone on some day.
        """
        if query.needs_slots:
            return await self._divided(query, deadline)
        if query.interval is Interval.DAY:
            rows = await self._reader.rows(DAILY_STATISTICS, query.parameters, deadline=deadline)
            revision = rows[0].revision if rows else None
            days = [row[2:] for row in rows if row.date is not None]
        else:
            periods = await self._merged(query, deadline)
            revision, days = periods.revision, periods.rows()
        body = render((fields(query.customer_id, day) for day in days), query.form)
        return RenderedAnswer(body, revision, query.form)

    async def _divided(self, query: StatisticsQuery, deadline: float | None) -> RenderedAnswer:
        """Divide days by half-hours, and merge these to the periods of a zone."""
        limit = MAX_HOURLY_DAYS if query.interval is Interval.HOUR else MAX_ZONED_DAYS
        utc = utc_days(query.zone, query.days)
        most = limit + (query.zone != UTC)  # as many days of another zone are on one more of UTC
        asked = {**query.parameters, "first": utc.first, "last": utc.last, "limit": most + 1}
        rows = await self._reader.rows(DAILY_BREAKDOWNS, asked, deadline=deadline)
        if len(rows) > most:
            raise TooManyDaysError(f"Input should be at most {limit} days with requests from 'from' on")
        days = [(row.date, row.breakdown) for row in rows if row.date is not None]
        revision = rows[0].revision if rows else None
        known = [(date, data) for date, data in days if data is not None and data[1] & SLOTS]
        view = View(query.customer_id, query.days, query.interval, query.zone, query.form)
        body = await write(view, known)
        return RenderedAnswer(body, revision, query.form, days_without_breakdown=len(days) - len(known))

    async def _merged(self, query: StatisticsQuery, deadline: float | None) -> Periods:
        """Merge days as they arrive: however many there are, few are in memory."""

        async def merge(connection: AsyncConnection) -> Periods:
            periods = Periods(query.interval)
            await connection.execution_options(isolation_level="READ COMMITTED", yield_per=_FETCH_SIZE)
            async with connection.stream(DAILY_SUMMARIES, query.parameters) as rows:
                async for row in rows:
                    periods.add(row)
            return periods

        return await self._reader.run(merge, deadline)


class CachedStatistics:
    """Answers queries from the cache, if the cached answer is still right, or else from the database."""

    def __init__(self, reader: Reader, cache: LRUCache) -> None:
        self._statistics = Statistics(reader)
        self._reader = reader
        self._revisions = Revisions(reader)
        self._cache = cache

    async def answer(self, query: StatisticsQuery) -> RenderedAnswer:
        """Return the statistics as they were at some moment after the call.

        Raises
        ------
        DatabaseUnavailableError
            If the database does not answer in time.
        """
        deadline = self._reader.deadline()
        cached = self._cache.get(query)
        if cached is not None and cached.revision == await self._revisions.current(
            query.customer_id, deadline
        ):
            return cached
        answer = await self._statistics.answer(query, deadline)
        self._cache.put(query, answer)
        return answer
