"""All customers over a range of days, worst first or in another order: a page of them, or all as CSV."""

import datetime as dt
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api import fleet_rows, ranking
from api.cursors import Cursor
from api.fleet_statements import COUNT_HISTOGRAMS, EXTREMES
from api.histograms import TooManyHistogramsError, percentiles, within
from api.ranges import DateRange, resolve_from

Key = float | str | None
"""Orders a customer."""
Rank = tuple[str, Key]
"""A customer and its key."""

MAX_HISTOGRAMS = 500_000
"""Bounds what is merged to order customers by a percentile."""
BATCH = 250
"""Customers whose rows are made at a time where there are many."""


@dataclass(frozen=True, slots=True)
class Order:
    """The field that customers are ordered by, and the direction. Nulls are last in both, ties in the order of the ids."""

    field: str
    descending: bool

    @classmethod
    def parse(cls, text: str) -> "Order":
        """Read a field's name, with ``-`` before it for descending."""
        return cls(text.removeprefix("-"), text.startswith("-"))

    def place(self, rank: Rank) -> tuple[bool, Any, bytes]:
        """Return a key for Python's `sorted`, of a rank whose key is a number or None."""
        customer_id, key = rank
        assert not isinstance(key, str)  # noqa: S101 - ids are ordered by PostgreSQL
        return key is None, -(key or 0) if self.descending else key or 0, customer_id.encode()


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
        """Return the parameters of the statements of `api.ranking` for a range."""
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


async def page(
    connection: AsyncConnection, selection: Selection, limit: int
) -> tuple[list[dict[str, Any]], Cursor | None]:
    """Return rows of at most so many customers, and the cursor of what comes after them, if anything does.

    Raises
    ------
    TooManyHistogramsError
        If more histograms would have to be merged than an answer may.
    """
    days = await resolve_from(connection, selection.first, selection.last)
    found = [rank async for batch in _ranks(connection, selection, days, limit + 1) for rank in batch]
    kept = found[:limit]
    rows = await _rows(connection, selection, days, kept)
    more = len(found) > limit
    return rows, Cursor(kept[-1][1], kept[-1][0]) if more else None


async def batches(connection: AsyncConnection, selection: Selection) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield the rows of all customers, some at a time; the errors are those of `page`."""
    days = await resolve_from(connection, selection.first, selection.last)
    async for batch in _ranks(connection, selection, days, None):
        yield await _rows(connection, selection, days, batch)


async def _rows(
    connection: AsyncConnection, selection: Selection, days: DateRange, ranks: list[Rank]
) -> list[dict[str, Any]]:
    customers = [customer_id for customer_id, _ in ranks]
    return await fleet_rows.read(connection, customers, days, charted=selection.charted)


async def _ranks(
    connection: AsyncConnection, selection: Selection, days: DateRange, limit: int | None
) -> AsyncIterator[list[Rank]]:
    """Yield customers and their keys in order, in batches; at most `limit` of them."""
    order, cursor, one_day = selection.order, selection.after, days.days == 1
    if order.field in ranking.MERGED_FIELDS and not one_day:
        ranks = await _merged_ranks(connection, selection, days)
        ranks = ranks[:limit]
        for start in range(0, len(ranks), BATCH):
            yield ranks[start : start + BATCH]
        return
    statement = ranking.ranked(order.field, descending=order.descending, one_day=one_day).limit(limit)
    if cursor is not None:
        statement = ranking.after(statement, cursor.key, cursor.customer_id, descending=order.descending)
    async with connection.stream(statement, selection.parameters(days)) as found:
        async for batch in found.partitions(BATCH):
            yield [(row.customer_id, row.key) for row in batch]


async def _merged_ranks(connection: AsyncConnection, selection: Selection, days: DateRange) -> list[Rank]:
    """Order all customers by percentiles of their merged histograms."""
    order, cursor = selection.order, selection.after
    is_change = order.field == "change_p99"
    number = ranking.PERCENTILE_FIELDS.index("duration_p99" if is_change else order.field)
    now = await _percentiles(connection, selection, days, number)
    keys: dict[str, Key] = dict(now)
    if is_change:
        before = {} if days.before is None else await _percentiles(connection, selection, days.before, number)
        keys = {customer_id: _ratio(value, before.get(customer_id)) for customer_id, value in now.items()}
    ranks = sorted(keys.items(), key=order.place)
    if cursor is not None:
        last = order.place((cursor.customer_id, cursor.key))
        ranks = [rank for rank in ranks if order.place(rank) > last]
    return ranks


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
