"""Answer requests about the inside of days."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from fastapi import Request
from fastapi.responses import Response

from api.breakdown_pages import Days, Page
from api.breakdowns import TooManyBreakdownsError
from api.fleet import Order
from api.problems import refuse
from api.responses import cursor, respond
from api.revisions import CachedAnswers, Query


class DividedQuery(Query, Protocol):
    """A question about the inside of days."""

    @property
    def days(self) -> Days:
        """The days."""


def page_of(name: str, sort: str, limit: int, after: str) -> Page:
    """Return the page that the parameters ask for; `name` is the field that names a row."""
    order = Order.parse(sort)
    return Page(order, limit, cursor(after, "customer_id" if order.field == name else order.field))


async def respond_within(request: Request, answers: CachedAnswers, query: DividedQuery) -> Response:
    """Answer a request about the inside of days."""
    with _refusals(query.days):
        return await respond(request, answers, query)


@contextmanager
def _refusals(days: Days) -> Iterator[None]:
    """Refuse what turns out to be too much."""
    try:
        yield
    except TooManyBreakdownsError as error:
        refuse("too_many_breakdowns", "to", f"{error}; choose fewer days", days.last and str(days.last))
