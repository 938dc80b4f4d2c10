"""All customers together: each day of a range, the whole of it, and the range before."""

import datetime as dt
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers.ranges import DateRange, resolve
from api.answers.representation import Format, RenderedAnswer, fields
from api.answers.revisions import revision_of_all
from api.fleet.histograms import TooManyHistogramsError, total
from api.fleet.rows import Measures, changes
from api.fleet.sort_keys import PERCENTILE_FIELDS
from api.fleet.statements import ACTIVITY, DAYS, LEDGER
from logstats.domain.histogram import LatencyHistogram
from logstats.domain.summary import PERCENTILES, DailySummary
from logstats.rows import SUMS, to_shown, to_summary

MAX_HISTOGRAMS = 2_000_000
"""Bounds what is merged for the percentiles of an overview."""

_NEVER = dt.datetime.max.replace(tzinfo=dt.UTC)
_NO_DAYS = DateRange(dt.date.max, dt.date.max)
_NO_DURATIONS = LatencyHistogram().encoded
_NOTHING = to_summary((*(0 for _ in SUMS), None, None, _NO_DURATIONS, None))


class Day(NamedTuple):
    """All customers together on one day. Its histogram is empty unless percentiles are asked for."""

    date: dt.date
    summary: DailySummary
    active_customers: int


@dataclass(frozen=True, slots=True)
class OverviewQuery:
    """The overview of a range of days; without `last`, to the last day with data; without `first`, of that day."""

    first: dt.date | None = None
    last: dt.date | None = None
    percentiles: bool = True
    form: Format = Format.JSON

    async def revision(self, connection: AsyncConnection) -> str:
        """Return the revision of all data, with the numbers of the ledger, which may change without it."""
        ledger = await self._ledger(connection, await resolve(connection, self.first, self.last))
        return "-".join((await revision_of_all(connection), *map(str, ledger.values())))

    async def answer(self, connection: AsyncConnection, revision: str) -> RenderedAnswer:
        """Return the overview as JSON.

        Raises
        ------
        TooManyHistogramsError
            If more histograms would have to be merged than an answer may.
        """
        days = await resolve(connection, self.first, self.last)
        shown = {
            "from": days and days.first,
            "to": days and days.last,
            **await self._compared(connection, days or _NO_DAYS),
            "ledger": await self._ledger(connection, days),
        }
        return RenderedAnswer(orjson.dumps(shown), revision, self.form)

    async def _ledger(self, connection: AsyncConnection, days: DateRange | None) -> dict[str, int]:
        """Count the log objects whose last commit was on a day of the range, or on any later one without `last`."""
        since = _midnight(days.first if days else dt.date(1970, 1, 1))
        last = self.last or dt.date.max
        until = _NEVER if last == dt.date.max else _midnight(last + dt.timedelta(1))
        found = await connection.execute(LEDGER, {"since": since, "until": until})
        return dict(found.mappings().one())

    async def _compared(self, connection: AsyncConnection, range_: DateRange) -> dict[str, Any]:
        before = range_.before
        parameters = {"since": (before or range_).first, "first": range_.first, "last": range_.last}
        found = await self._days(connection, parameters)
        activity = (await connection.execute(ACTIVITY, parameters)).all()
        counts = activity[0]
        now, past = (
            _sum(day for day in found if (day.date in range_) is current) for current in (True, False)
        )
        shown_before = None
        if before and past.total_requests:
            shown_before = {
                "from": before.first,
                "to": before.last,
                **self._fields(past, counts.active_before),
            }
        changed = changes(_measures(now, merged=self.percentiles), _measures(past, merged=self.percentiles))
        if not self.percentiles:
            del changed["change_p99"]
        return {
            "days": [
                {"date": day.date, **self._fields(day.summary, day.active_customers)}
                for day in found
                if day.date in range_
            ],
            "total": self._fields(now, counts.active),
            "before": shown_before,
            **changed,
            "silent_customers": {"count": counts.silent, "customers": _silent(activity)},
            "new_customers": counts.new,
        }

    async def _days(self, connection: AsyncConnection, parameters: Mapping[str, Any]) -> list[Day]:
        """Return the days with requests of both ranges."""
        rows = (await connection.execute(DAYS, parameters)).all()
        days = [
            Day(date, to_summary((*numbers, _NO_DURATIONS, None)), customers)
            for date, *numbers, customers in rows
        ]
        if not self.percentiles:
            return days
        if sum(day.active_customers for day in days) > MAX_HISTOGRAMS:
            raise TooManyHistogramsError(
                f"there are more than {MAX_HISTOGRAMS:,} of them in this range and the one before"
            )
        return [
            day._replace(summary=replace(day.summary, histogram=await total(connection, day.date)))
            for day in days
        ]

    def _fields(self, summary: DailySummary, active_customers: int) -> dict[str, Any]:
        """Return the fields of a day of one customer that make sense of all together, and how many customers there were."""
        unknown = None if self.percentiles else (None,) * len(PERCENTILES)
        shown = fields("", (None, *to_shown(summary, unknown)))
        for name in ("customer_id", "date", *(() if self.percentiles else PERCENTILE_FIELDS)):
            del shown[name]
        return {**shown, "active_customers": active_customers}


def _sum(days: Iterable[Day]) -> DailySummary:
    return sum((day.summary for day in days), _NOTHING)


def _measures(summary: DailySummary, *, merged: bool) -> Measures:
    p99 = summary.percentiles_us()[PERCENTILES.index(99)] if merged else None
    return Measures(summary.total_requests, summary.server_errors, p99)


def _silent(activity: Iterable[Any]) -> list[dict[str, Any]]:
    return [
        {"customer_id": row.customer_id, "last_date": row.last_date, "requests_before": row.requests_before}
        for row in activity
        if row.customer_id is not None
    ]


def _midnight(date: dt.date) -> dt.datetime:
    return dt.datetime.combine(date, dt.time(), dt.UTC)
