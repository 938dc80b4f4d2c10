"""GET /customers: a list of all customers, or with `from` their statistics over a range of days."""

import datetime as dt
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import BaseModel, Field, StringConstraints

from api import conditional
from api.authorisation import Rule, ruled
from api.cursors import parse as parse_cursor
from api.fleet import Order, Selection
from api.fleet_pages import RankingQuery, csv_of_all
from api.fleet_rows import MAX_CHART_DAYS
from api.histograms import TooManyHistogramsError
from api.negotiation import matches, preferred
from api.parameters import DEFAULT_LIMIT, NO_CONTROL_CHARACTERS, CalendarDate, check_order, end_of
from api.problems import REFUSALS, refuse
from api.ranges import RangeTooLongError
from api.ranking import MERGED_FIELDS, SORT_FIELDS
from api.reader import Reader
from api.representation import MEDIA_TYPES, Changes, Count, CustomerStatistics, Format
from api.revisions import CachedAnswers
from api.settings import Auth
from api.statements import CUSTOMERS
from api.statistics import etag
from logstats.domain.line import MAX_CUSTOMER_ID_CHARACTERS

DEFAULT_SORT = "-server_errors"
"""Worst first: those with most failures of ours."""
GATEWAY_LIMIT = 1_000
"""Rows of CSV behind a gateway where the request has no limit: a Lambda function's answer has at most 6 MB."""

_Prefix = Annotated[
    str, StringConstraints(max_length=MAX_CUSTOMER_ID_CHARACTERS, pattern=NO_CONTROL_CHARACTERS)
]
_After = Annotated[
    str, StringConstraints(max_length=MAX_CUSTOMER_ID_CHARACTERS + 40, pattern=NO_CONTROL_CHARACTERS)
]
_FILE = 'attachment; filename="customers.csv"'
_OF_A_RANGE = ("to", "sort", "days", "format")


class CustomerOverview(BaseModel, from_attributes=True):
    """One customer with statistics."""

    customer_id: str = Field(description="The customer.", examples=["cust_1"])
    first_date: dt.date = Field(description="The first UTC day that has requests.", examples=["2024-09-04"])
    last_date: dt.date = Field(description="The last UTC day that has requests.", examples=["2024-10-03"])
    total_requests: Count = Field(description="Requests on all days.", examples=[203])


class CustomerPage(BaseModel):
    """A page of customers."""

    customers: list[CustomerOverview] = Field(description="In the order of their ids' UTF-8 bytes.")
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


class RankedCustomer(CustomerStatistics, Changes):
    """One customer over the range, compared with the range of the same length just before."""

    daily_requests: list[Count] | None = Field(
        default=None,
        description="Requests on each day of the range, 0 on a day without; only with `days=true`.",
        examples=[[12, 0, 7]],
    )


class RankedPage(BaseModel):
    """A page of customers that have requests in a range of days."""

    customers: list[RankedCustomer] = Field(description="In the order that `sort` says.")
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


_HEADERS = conditional.documented("every commit that touches any customer") | {
    "Link": {"description": 'The next page, `rel="next"`, if there is one.', "schema": {"type": "string"}}
}
_ANSWERS: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "A page of customers: without `from` all that have statistics, with `from` those that have requests "
        "in the range.",
        "headers": _HEADERS,
        "content": {"text/csv": {"schema": {"type": "string"}}},
    },
    **conditional.not_modified(_HEADERS),
}


def router(reader: Reader, answers: CachedAnswers, auth: Auth) -> APIRouter:
    """Return the route, answered from a database."""
    routes = APIRouter(route_class=ruled(Rule.ALL_CUSTOMERS, auth))

    @routes.get(
        "/customers",
        summary="Customers",
        response_model=CustomerPage | RankedPage,
        responses={**_ANSWERS, **REFUSALS},
        tags=["statistics"],
        openapi_extra={"parameters": conditional.REQUEST_HEADERS},
    )
    async def customers(
        request: Request,
        *,
        first: Annotated[
            CalendarDate | None,
            Query(
                alias="from",
                description="First UTC day, YYYY-MM-DD: then each customer's statistics of the range are listed. Without it, "
                "all customers that have statistics, in the order of their ids.",
                examples=["2024-09-03"],
            ),
        ] = None,
        last: Annotated[
            CalendarDate | None,
            Query(
                alias="to",
                description="Last UTC day, included; without it, the last day with data. The range is compared with that of "
                "the same length just before `from`.",
                examples=["2024-10-03"],
            ),
        ] = None,
        sort: Annotated[
            str,
            Query(
                description="A field of the rows, with `-` before it for descending. Ties are in the order of the ids, nulls last. "
                "Over several days, the percentiles and `change_p99` are merged of all customers' histograms: at most 500,000.",
                pattern=f"^-?({'|'.join(SORT_FIELDS)})$",
                examples=["uptime_percentage"],
            ),
        ] = DEFAULT_SORT,
        prefix: Annotated[
            _Prefix, Query(description="Only customers whose ids start so; upper and lower case differ.")
        ] = "",
        limit: Annotated[
            int | None,
            Query(
                ge=1,
                le=1_000,
                description="At most so many entries, by default 100; as CSV all, or 1,000 behind a gateway.",
                examples=[50],
            ),
        ] = None,
        after: Annotated[
            _After, Query(description="The `next` of the page before; without it, the first page.")
        ] = "",
        days: Annotated[
            bool,
            Query(
                description=f"Add `daily_requests` to each row, for a range of at most {MAX_CHART_DAYS} days; JSON only."
            ),
        ] = False,
        form: Annotated[
            Format | None,
            Query(
                alias="format",
                description="JSON or CSV; without it, what `Accept` prefers.",
                examples=["csv"],
            ),
        ] = None,
    ) -> Response | CustomerPage:
        """List customers: all that there are, or their statistics over a range of days, worst first."""
        if first is None:
            for name in _OF_A_RANGE:
                if name in request.query_params:
                    refuse("needs_from", name, "Input should come with 'from'", request.query_params[name])
            if len(after) > MAX_CUSTOMER_ID_CHARACTERS:
                refuse("cursor", "after", "Input should be the `next` of an answer", after)
            return await _list(reader, prefix, after, limit or DEFAULT_LIMIT)
        selection = _selection(first, last, sort, prefix, after, with_days=days)
        form = form or preferred(request.headers.get("accept", ""))
        known = request.headers.get("if-none-match")
        if form is Format.CSV and limit is None:
            if "aws.event" not in request.scope:
                with _refusals(sort):
                    return await _stream(reader, selection, known)
            limit = GATEWAY_LIMIT
        with _refusals(sort):
            tag, answer = await answers.answer(RankingQuery(selection, limit or DEFAULT_LIMIT, form), known)
        headers = {"ETag": tag, **conditional.HEADERS}
        if answer is None:
            return Response(status_code=304, headers=headers)
        if answer.following is not None:
            query = [pair for pair in request.query_params.multi_items() if pair[0] != "after"]
            headers["Link"] = f'<?{urlencode([*query, ("after", answer.following)])}>; rel="next"'
        if form is Format.CSV:
            headers["Content-Disposition"] = _FILE
        return Response(answer.body, headers=headers, media_type=MEDIA_TYPES[form])

    return routes


@contextmanager
def _refusals(sort: str) -> Iterator[None]:
    """Refuse what turns out to be too much."""
    try:
        yield
    except RangeTooLongError as error:
        refuse("too_many_days", "days", str(error), "true")
    except TooManyHistogramsError as error:
        others = ", ".join(field for field in SORT_FIELDS if field not in MERGED_FIELDS)
        refuse("too_many_histograms", "sort", f"{error}; choose fewer days, or sort by one of {others}", sort)


async def _list(reader: Reader, prefix: str, after: str, limit: int) -> CustomerPage:
    position = {"after": after, "prefix": prefix, "end": end_of(prefix)}
    rows = await reader.rows(CUSTOMERS, position | {"limit": limit + 1})
    found = [CustomerOverview.model_validate(row) for row in rows[:limit]]
    return CustomerPage(customers=found, next=found[-1].customer_id if len(rows) > limit else None)


def _selection(
    first: dt.date, last: dt.date | None, sort: str, prefix: str, after: str, *, with_days: bool
) -> Selection:
    """Return what is selected; refuse what the parameters show only together."""
    order, cursor = Order.parse(sort), None
    if last is not None:
        try:
            check_order(first, last)
        except ValueError as error:
            refuse("date_order", "to", str(error), last)
    if after:
        try:
            cursor = parse_cursor(after, order.field)
        except ValueError as error:
            refuse("cursor", "after", str(error), after)
    return Selection(first, last, order, prefix, end_of(prefix), cursor, with_days)


async def _stream(reader: Reader, selection: Selection, if_none_match: str | None) -> Response:
    """Answer with all customers as CSV; what can go wrong shows with the first of them, before the status is sent."""
    pieces = csv_of_all(reader, selection)
    tag = etag((await anext(pieces)).decode(), Format.CSV)
    headers = {"ETag": tag, **conditional.HEADERS, "Content-Disposition": _FILE}
    if matches(if_none_match, tag):
        await pieces.aclose()
        return Response(status_code=304, headers=headers)
    first = await anext(pieces)

    async def all_pieces() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return StreamingResponse(all_pieces(), headers=headers, media_type=MEDIA_TYPES[Format.CSV])
