"""All customers over a range of days, worst first or in another order: a page of them, or all as CSV."""

import datetime as dt
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from api import fleet_statements, ranking
from api.changes import Measures, changes
from api.cursors import Cursor
from api.histograms import TooManyHistogramsError, percentiles, within
from api.ranges import DateRange, RangeTooLongError, resolve
from api.representation import fields

Key = float | str | None
"""What a customer is ordered by."""
Rank = tuple[str, Key]
"""A customer and its key."""

MAX_HISTOGRAMS = 500_000
"""What is merged to order customers by a percentile."""
MAX_CHART_DAYS = 92
"""The longest range of which each row may have the requests of each day."""
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

    def before(self, rank: Rank) -> tuple[bool, Any, bytes]:
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
    with_days: bool = False


@dataclass(frozen=True, slots=True)
class Compared:
    """A range of days, and the one before it, if the calendar has one."""

    now: DateRange
    before: DateRange | None

    def parameters(self, selection: Selection) -> Mapping[str, Any]:
        """Return the parameters of the statements of `api.ranking`. A day that never was stands for no range before."""
        before = self.before or DateRange(dt.date.max, dt.date.max)
        return {
            "prefix": selection.prefix,
            "end": selection.end,
            "first": self.now.first,
            "last": self.now.last,
            "before_first": before.first,
            "before_last": before.last,
        }


async def compared(connection: AsyncConnection, selection: Selection) -> Compared:
    """Return the ranges that a selection means."""
    now = await resolve(connection, selection.first, selection.last)
    assert now is not None  # noqa: S101 - the first day is given
    return Compared(now, now.before)


async def page(
    connection: AsyncConnection, selection: Selection, limit: int
) -> tuple[list[dict[str, Any]], Cursor | None]:
    """Return rows of at most so many customers, and the cursor of what comes after them, if anything does.

    Raises
    ------
    TooManyHistogramsError
        If more histograms would have to be merged than an answer may.
    """
    ranges = await compared(connection, selection)
    found = [rank async for batch in _ranks(connection, selection, ranges, limit + 1) for rank in batch]
    kept = found[:limit]
    rows = await _rows(connection, selection, ranges, [customer_id for customer_id, _ in kept])
    more = len(found) > limit
    return rows, Cursor(kept[-1][1], kept[-1][0]) if more else None


async def batches(connection: AsyncConnection, selection: Selection) -> AsyncIterator[list[dict[str, Any]]]:
    """Yield the rows of all customers, some at a time; the errors are those of `page`."""
    ranges = await compared(connection, selection)
    async for batch in _ranks(connection, selection, ranges, None):
        yield await _rows(connection, selection, ranges, [customer_id for customer_id, _ in batch])


async def _ranks(
    connection: AsyncConnection, selection: Selection, ranges: Compared, limit: int | None
) -> AsyncIterator[list[Rank]]:
    """Yield customers and their keys in order, in batches; at most `limit` of them."""
    order, cursor, one_day = selection.order, selection.after, ranges.now.days == 1
    if order.field in ranking.MERGED_FIELDS and not one_day:
        ranks = await _merged_ranks(connection, selection, ranges)
        ranks = ranks[:limit]
        for start in range(0, len(ranks), BATCH):
            yield ranks[start : start + BATCH]
        return
    statement = ranking.ranked(order.field, descending=order.descending, one_day=one_day).limit(limit)
    if cursor is not None:
        statement = ranking.after(statement, cursor.key, cursor.customer_id, descending=order.descending)
    async with connection.stream(statement, ranges.parameters(selection)) as found:
        async for batch in found.partitions(BATCH):
            yield [(row.customer_id, row.key) for row in batch]


async def _merged_ranks(connection: AsyncConnection, selection: Selection, ranges: Compared) -> list[Rank]:
    """Order all customers by percentiles of their merged histograms."""
    parameters = ranges.parameters(selection)
    p99s = selection.order.field == "change_p99"
    number = ranking.PERCENTILE_FIELDS.index("duration_p99" if p99s else selection.order.field)
    now = await _percentiles_of_all(connection, ranges.now, parameters, number)
    keys: dict[str, Key] = dict(now)
    if p99s:
        before = await _percentiles_of_all(connection, ranges.before, parameters, number)
        keys = {each: _ratio(value, before.get(each)) for each, value in now.items()}
    ranks = sorted(keys.items(), key=selection.order.before)
    cursor = selection.after
    if cursor is not None:
        last = selection.order.before((cursor.customer_id, cursor.key))
        ranks = [rank for rank in ranks if selection.order.before(rank) > last]
    return ranks


def _ratio(now: int | None, before: int | None) -> float | None:
    return None if now is None or not before else (now - before) / before


async def _percentiles_of_all(
    connection: AsyncConnection, days: DateRange | None, parameters: Mapping[str, Any], number: int
) -> dict[str, int | None]:
    """Return one of the percentiles of every customer over a range, in microseconds."""
    if days is None:
        return {}
    asked = {**parameters, "first": days.first, "last": days.last, "limit": MAX_HISTOGRAMS + 1}
    if (await connection.execute(fleet_statements.COUNT_HISTOGRAMS, asked)).scalar_one() > MAX_HISTOGRAMS:
        raise TooManyHistogramsError(f"there are more than {MAX_HISTOGRAMS:,} of them in {days.days} days")
    found = (await connection.execute(fleet_statements.EXTREMES, asked)).all()
    values = await percentiles(connection, [row[0] for row in found], days)
    return {
        customer_id: within(merged, least, most)[number]
        for (customer_id, least, most), merged in zip(found, values, strict=True)
    }


async def _rows(
    connection: AsyncConnection, selection: Selection, ranges: Compared, customers: Sequence[str]
) -> list[dict[str, Any]]:
    """Return the rows of some customers, in their order, each compared with the range before."""
    now = await _summaries(connection, customers, ranges.now)
    before = {} if ranges.before is None else await _summaries(connection, customers, ranges.before)
    if selection.with_days and ranges.now.days > MAX_CHART_DAYS:
        raise RangeTooLongError(f"daily_requests are given for at most {MAX_CHART_DAYS} days")
    rows = [
        fields(customer_id, now[number])
        | changes(_measures(now[number]), _measures(before[number]) if number in before else None)
        for number, customer_id in enumerate(customers)
    ]
    if selection.with_days and rows:
        for row, requests in zip(rows, await _daily(connection, customers, ranges.now), strict=True):
            row["daily_requests"] = requests
    return rows


def _measures(row: Sequence[Any]) -> Measures:
    _date, total, _client, server, _untimed, _sum, *_others, p99, _longest = row
    return Measures(total, server, p99)


async def _summaries(
    connection: AsyncConnection, customers: Sequence[str], days: DateRange
) -> dict[int, tuple[Any, ...]]:
    """Return the columns of `representation.fields` of some customers over a range, by their places in the list."""
    if not customers:
        return {}
    asked = {"customers": list(customers), "first": days.first, "last": days.last}
    found = (await connection.execute(fleet_statements.SUMMARIES, asked)).all()
    merged = await percentiles(connection, customers, days)
    return {
        number - 1: (*columns, *within(merged[number - 1], least, most), most)
        for number, *columns, least, most in found
    }


async def _daily(connection: AsyncConnection, customers: Sequence[str], days: DateRange) -> list[list[int]]:
    """Return each customer's requests on every day of a range."""
    asked = {"customers": list(customers), "first": days.first, "last": days.last}
    requests = [[0] * days.days for _ in customers]
    for number, date, count in (await connection.execute(fleet_statements.DAILY_REQUESTS, asked)).all():
        requests[number - 1][(date - days.first).days] = count
    return requests
