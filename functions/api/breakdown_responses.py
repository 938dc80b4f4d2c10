"""Answer requests about the inside of days: their parameters read, their headers written."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import Response

from api import conditional
from api.breakdown_pages import Days, Page
from api.breakdowns import TooManyBreakdownsError
from api.cursors import parse as parse_cursor
from api.fleet import Order
from api.negotiation import preferred
from api.problems import refuse
from api.representation import MEDIA_TYPES, Format
from api.revisions import CachedAnswers, Query


class DividedQuery(Query, Protocol):
    """A question about the inside of days."""

    @property
    def days(self) -> Days:
        """The days."""


def form_of(request: Request, form: Format | None) -> Format:
    """Return the form of the answer: the one asked for, or else the one that `Accept` prefers."""
    return form or preferred(request.headers.get("accept", ""))


def page_of(name: str, sort: str, limit: int, after: str) -> Page:
    """Return the page that the parameters ask for; `name` is the field that names a row."""
    order = Order.parse(sort)
    try:
        cursor = parse_cursor(after, "customer_id" if order.field == name else order.field) if after else None
    except ValueError as error:
        refuse("cursor", "after", str(error), after)
    return Page(order, limit, cursor)


async def respond(request: Request, answers: CachedAnswers, query: DividedQuery) -> Response:
    """Answer a request about the inside of days, or say that the client's answer is still right."""
    with _refusals(query.days):
        tag, answer = await answers.answer(query, request.headers.get("if-none-match"))
    headers = {"ETag": tag, **conditional.HEADERS}
    if answer is None:
        return Response(status_code=304, headers=headers)
    headers["Days-Without-Breakdown"] = str(answer.days_without_breakdown)
    if answer.following is not None:
        pairs = [pair for pair in request.query_params.multi_items() if pair[0] != "after"]
        headers["Link"] = f'<?{urlencode([*pairs, ("after", answer.following)])}>; rel="next"'
    if request.query_params.get("format") == Format.CSV:
        headers["Content-Disposition"] = f'attachment; filename="{request.url.path.rsplit("/", 1)[-1]}.csv"'
    return Response(answer.body, headers=headers, media_type=MEDIA_TYPES[query.form])


@contextmanager
def _refusals(days: Days) -> Iterator[None]:
    """Refuse what turns out to be too much."""
    try:
        yield
    except TooManyBreakdownsError as error:
        refuse("too_many_breakdowns", "to", f"{error}; choose fewer days", days.last and str(days.last))
