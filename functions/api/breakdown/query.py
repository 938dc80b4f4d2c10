"""Days divided by route or by status code, as the API writes them."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers.pages import Page
from api.answers.ranges import resolve_from
from api.answers.representation import NUMBERS, Format, RenderedAnswer, csv_rows, fields
from api.answers.revisions import REVISIONS, revision_of_all
from api.breakdown.sums import OF_ALL, OF_CUSTOMER, Sums, by_customer, total
from logstats.domain.breakdown import NOT_FOUND, OTHER, Cell
from logstats.domain.route import NOT_FOUND_NAME, OTHER_NAME
from logstats.native import ROUTES, STATUSES

Row = dict[str, Any]

_STORED = {NOT_FOUND: NOT_FOUND_NAME, OTHER: OTHER_NAME}


@dataclass(frozen=True, slots=True)
class Days:
    """Days of one customer, or of all, from a day to a day, both included; without `last`, to the last day with data."""

    first: dt.date
    last: dt.date | None
    customer_id: str | None = None

    async def revision(self, connection: AsyncConnection) -> str:
        """Return the revision of the customer, empty for one without statistics; or that of all data."""
        if self.customer_id is None:
            return await revision_of_all(connection)
        found = (await connection.execute(REVISIONS, {"customers": [self.customer_id]})).one_or_none()
        return "" if found is None else str(found.revision)

    async def total(self, connection: AsyncConnection, part: int) -> Sums:
        """Add up a part of their breakdowns; the errors are those of `sums.total`."""
        statement = OF_ALL if self.customer_id is None else OF_CUSTOMER
        return await total(connection, statement, await self._parameters(connection), part)

    async def by_customer(self, connection: AsyncConnection, route: bytes) -> Sums:
        """Add up a route of each customer; the errors are those of `sums.total`."""
        return await by_customer(connection, await self._parameters(connection), route)

    async def _parameters(self, connection: AsyncConnection) -> dict[str, Any]:
        days = await resolve_from(connection, self.first, self.last)
        asked: dict[str, Any] = {"first": days.first, "last": days.last}
        return asked if self.customer_id is None else {**asked, "customer_id": self.customer_id}


class _DaysQuery:
    """A question about the inside of some days."""

    __slots__ = ()
    days: Days

    async def revision(self, connection: AsyncConnection) -> str:
        """Return the revision of all that the answer depends on."""
        return await self.days.revision(connection)


@dataclass(frozen=True, slots=True)
class RoutesQuery(_DaysQuery):
    """A page of the routes of some days."""

    days: Days
    page: Page
    form: Format = Format.JSON

    async def answer(self, connection: AsyncConnection, revision: str) -> RenderedAnswer:
        """Return the page; the errors are those of `sums.total`."""
        sums = await self.days.total(connection, ROUTES)
        routes = sums.total.routes.items() if sums.total else ()
        page = self.page.of((_row("route", name, cell) for name, cell in routes), "route")
        return _render(page, ("route", *NUMBERS), sums, revision, self.form)


@dataclass(frozen=True, slots=True)
class RouteCustomersQuery(_DaysQuery):
    """A page of all customers that have requests to a route on some days."""

    days: Days
    page: Page
    route: str
    form: Format = Format.JSON

    async def answer(self, connection: AsyncConnection, revision: str) -> RenderedAnswer:
        """Return the page; the errors are those of `sums.total`."""
        sums = await self.days.by_customer(connection, _STORED.get(self.route) or self.route.encode())
        found = (
            _row("customer_id", customer_id.decode(), cell)
            for customer_id, breakdown in sums.by_key.items()
            for cell in breakdown.routes.values()
        )
        page = self.page.of(found, "customer_id")
        return _render(page, ("customer_id", *NUMBERS), sums, revision, self.form)


@dataclass(frozen=True, slots=True)
class StatusesQuery(_DaysQuery):
    """The status codes of some days."""

    days: Days
    form: Format = Format.JSON

    async def answer(self, connection: AsyncConnection, revision: str) -> RenderedAnswer:
        """Return the codes in their order; the errors are those of `sums.total`."""
        sums = await self.days.total(connection, STATUSES)
        statuses = sums.total.statuses.items() if sums.total else ()
        rows = [{"status": code, "total_requests": count} for code, count in statuses]
        return _render((rows, None), ("status", "total_requests"), sums, revision, self.form)


def _row(name: str, value: str, cell: Cell) -> Row:
    """Return the fields of a day for a cell, but for the customer and the date."""
    numbers = (*cell.numbers.counts, cell.duration_sum_us, *cell.percentiles_us(), cell.duration_max_us)
    shown = fields("", (None, *numbers))
    return {name: value, **{field: shown[field] for field in NUMBERS}}


def _render(
    page: tuple[list[Row], str | None], columns: Sequence[str], sums: Sums, revision: str, form: Format
) -> RenderedAnswer:
    """Write rows and the cursor of what comes after them."""
    rows, following = page
    if form is Format.CSV:
        body = csv_rows([columns, *(row.values() for row in rows)])
    else:
        body = orjson.dumps({"rows": rows, "days_without_breakdown": sums.days_without, "next": following})
    return RenderedAnswer(body, revision or None, form, following, sums.days_without)
