"""The order of customers over a range of days: by PostgreSQL, or by the percentiles of their merged histograms."""

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers.pages import Cursor, Key, Order, Rank
from api.answers.ranges import DateRange
from api.fleet.histograms import TooManyHistogramsError, percentiles, within
from api.fleet.sort_keys import MERGED_FIELDS, PERCENTILE_FIELDS, after, ranked
from api.fleet.statements import COUNT_HISTOGRAMS, EXTREMES

MAX_HISTOGRAMS = 500_000
"""Bounds what is merged to order customers by a percentile."""
BATCH = 250
"""Customers whose rows are made at a time where there are many."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Customers that have requests from a day to a day, both included, in an order, after a cursor."""

    first: dt.date
    last: dt.date | None
    order: Order
    prefix: str = ""
    end: str = ""
    after: Cursor | None = None
    charted: int = 0

    def parameters(self, days: DateRange) -> Mapping[str, Any]:
        """Return the parameters of the statements of `api.fleet.sort_keys` for a range."""
        never = DateRange(dt.date.max, dt.date.max)
        before = days.before or never
        return {
            "prefix": self.prefix,
            "end": self.end,
            "first": days.first,
            "last": days.last,
            "before_first": before.first,
            "before_last": before.last,
        }


async def ranks(
    connection: AsyncConnection, selection: Selection, days: DateRange, limit: int | None
) -> AsyncIterator[list[Rank]]:
    """Yield customers and their keys in order, in batches; at most `limit` of them.

    Raises
    ------
    TooManyHistogramsError
        If more histograms would have to be merged than an answer may.
    """
    order, cursor, one_day = selection.order, selection.after, days.days == 1
    if order.field in MERGED_FIELDS and not one_day:
        merged = (await _merged_ranks(connection, selection, days))[:limit]
        for start in range(0, len(merged), BATCH):
            yield merged[start : start + BATCH]
        return
    statement = ranked(order.field, descending=order.descending, one_day=one_day).limit(limit)
    if cursor is not None:
        statement = after(statement, cursor.key, cursor.customer_id, descending=order.descending)
    async with connection.stream(statement, selection.parameters(days)) as found:
        async for batch in found.partitions(BATCH):
            yield [(row.customer_id, row.key) for row in batch]


async def _merged_ranks(connection: AsyncConnection, selection: Selection, days: DateRange) -> list[Rank]:
    """Order all customers by percentiles of their merged histograms."""
    order, cursor = selection.order, selection.after
    is_change = order.field == "change_p99"
    number = PERCENTILE_FIELDS.index("duration_p99" if is_change else order.field)
    now = await _percentiles(connection, selection, days, number)
    keys: dict[str, Key] = dict(now)
    if is_change:
        before = {} if days.before is None else await _percentiles(connection, selection, days.before, number)
        keys = {customer_id: _ratio(value, before.get(customer_id)) for customer_id, value in now.items()}
    placed = sorted(keys.items(), key=order.place)
    if cursor is None:
        return placed
    last = order.place((cursor.customer_id, cursor.key))
    return [rank for rank in placed if order.place(rank) > last]


def _ratio(now: int | None, before: int | None) -> float | None:
    return None if now is None or not before else (now - before) / before


async def _percentiles(
    connection: AsyncConnection, selection: Selection, days: DateRange, number: int
) -> dict[str, int | None]:
    """Return one of the percentiles of every customer over a range, in microseconds."""
    asked = {**selection.parameters(days), "limit": MAX_HISTOGRAMS + 1}
    if (await connection.execute(COUNT_HISTOGRAMS, asked)).scalar_one() > MAX_HISTOGRAMS:
        raise TooManyHistogramsError(f"there are more than {MAX_HISTOGRAMS:,} of them in {days.days} days")
    found = (await connection.execute(EXTREMES, asked)).all()
    values = await percentiles(connection, [row[0] for row in found], days)
    return {
        customer_id: within(merged, least, most)[number]
        for (customer_id, least, most), merged in zip(found, values, strict=True)
    }
