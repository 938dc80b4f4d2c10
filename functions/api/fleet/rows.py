"""The rows of customers over a range of days, each compared with the range before."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers.ranges import DateRange
from api.answers.representation import Changes, CustomerStatistics, fields
from api.fleet.histograms import percentiles, within
from api.fleet.statements import DAILY_REQUESTS, SUMMARIES
from logstats.rows import SHOWN

CSV_HEADER = (*CustomerStatistics.model_fields, *Changes.model_fields)
MAX_CHART_DAYS = 92
"""Of how many days each row may have the requests."""


@dataclass(frozen=True, slots=True)
class Measures:
    """Hold what is compared: requests, those that failed with 5xx, and the p99 in microseconds if it is known."""

    total_requests: int
    server_errors: int
    p99_us: int | None = None

    @property
    def uptime_percentage(self) -> float:
        """As `representation.fields` has it; there must be requests."""
        return 100 * (self.total_requests - self.server_errors) / self.total_requests


def changes(now: Measures, before: Measures | None) -> dict[str, float | None]:
    """Return the fields `change_…`; null where either range has nothing to compare.

    Requests and p99 are compared as a ratio less one, the uptime as a difference in percentage points.
    """
    if before is None or not before.total_requests:
        return dict.fromkeys(("change_requests", "change_uptime_percentage", "change_p99"))
    return {
        "change_requests": (now.total_requests - before.total_requests) / before.total_requests,
        "change_uptime_percentage": now.uptime_percentage - before.uptime_percentage
        if now.total_requests
        else None,
        "change_p99": None
        if now.p99_us is None or not before.p99_us
        else (now.p99_us - before.p99_us) / before.p99_us,
    }


async def read(
    connection: AsyncConnection, customers: Sequence[str], days: DateRange, *, charted: int = 0
) -> list[dict[str, Any]]:
    """Return a row for each of some customers that have requests in a range, in their order.

    Parameters
    ----------
    charted
        Of how many days, up to the last of the range, each row has the requests (`daily_requests`); 0: it has none.

    Raises
    ------
    TooManyHistogramsError
        If more histograms would have to be merged than an answer may.
    """
    if not customers:
        return []
    now = await _summaries(connection, customers, days)
    before = {} if days.before is None else await _summaries(connection, customers, days.before)
    rows = [
        fields(customer_id, now[number])
        | changes(_measures(now[number]), _measures(before[number]) if number in before else None)
        for number, customer_id in enumerate(customers)
    ]
    if charted:
        drawn = DateRange(days.last - dt.timedelta(charted - 1), days.last)
        for row, requests in zip(rows, await _daily(connection, customers, drawn), strict=True):
            row["daily_requests"] = requests
    return rows


def _measures(row: Sequence[Any]) -> Measures:
    shown = dict(zip(SHOWN, row[1:], strict=True))
    return Measures(shown["total_requests"], shown["server_errors"], shown["duration_p99_us"])


async def _summaries(
    connection: AsyncConnection, customers: Sequence[str], days: DateRange
) -> dict[int, tuple[Any, ...]]:
    """Return the columns of `representation.fields` of customers over a range, by their places in the list."""
    asked = {"customers": customers, "first": days.first, "last": days.last}
    found = (await connection.execute(SUMMARIES, asked)).all()
    merged = await percentiles(connection, customers, days)
    return {
        number - 1: (*columns, *within(merged[number - 1], least, most), most)
        for number, *columns, least, most in found
    }


async def _daily(connection: AsyncConnection, customers: Sequence[str], days: DateRange) -> list[list[int]]:
    """Return each customer's requests on every day of a range."""
    asked = {"customers": customers, "first": days.first, "last": days.last}
    requests = [[0] * days.days for _ in customers]
    for number, date, count in (await connection.execute(DAILY_REQUESTS, asked)).all():
        requests[number - 1][(date - days.first).days] = count
    return requests


def cells(rows: Iterable[dict[str, Any]]) -> Iterable[Iterable[Any]]:
    """Return what CSV has of rows."""
    return ([row[name] for name in CSV_HEADER] for row in rows)
