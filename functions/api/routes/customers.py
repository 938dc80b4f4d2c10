"""GET /customers: a list of all customers, or with `from` their statistics over a range of days."""

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse
from pydantic import StringConstraints

from api.answers.cache import CachedAnswers
from api.answers.negotiation import matches
from api.answers.pages import Order
from api.answers.representation import MEDIA_TYPES, Format, etag
from api.answers.responses import (
    HEADERS,
    NEXT_PAGE,
    After,
    AskedForm,
    attached,
    check_range,
    cursor,
    documented,
    form_of,
    respond,
)
from api.database.reader import Reader
from api.fleet.export import csv_of_all
from api.fleet.histograms import TooManyHistogramsError
from api.fleet.models import CustomerOverview, CustomerPage, RankedPage
from api.fleet.ranking import RankingQuery
from api.fleet.ranks import Selection
from api.fleet.rows import MAX_CHART_DAYS
from api.fleet.sort_keys import MERGED_FIELDS, SORT_FIELDS
from api.fleet.statements import CUSTOMERS
from api.requests.authorisation import Rule, ruled
from api.requests.parameters import DEFAULT_LIMIT, NO_CONTROL_CHARACTERS, CalendarDate, end_of
from api.requests.problems import refuse
from api.settings import Auth
from logstats.domain.line import MAX_CUSTOMER_ID_CHARACTERS

DEFAULT_SORT = "-server_errors"
"""Worst first: those with most failures of ours."""
GATEWAY_LIMIT = 1_000
"""Rows of CSV behind a gateway where the request has no limit: a Lambda function's answer has at most 6 MB."""

_Prefix = Annotated[
    str, StringConstraints(max_length=MAX_CUSTOMER_ID_CHARACTERS, pattern=NO_CONTROL_CHARACTERS)
]
_OF_A_RANGE = ("to", "sort", "days", "format")


def router(reader: Reader, answers: CachedAnswers, auth: Auth) -> APIRouter:
    """Return the route, answered from a database."""
    routes = APIRouter(route_class=ruled(Rule.ALL_CUSTOMERS, auth))

    @routes.get(
        "/customers",
        summary="Customers",
        response_model=CustomerPage | RankedPage,
        **documented(
            "A page of customers: without `from` all that have statistics, with `from` those that have requests in the range.",
            "every commit that touches any customer",
            NEXT_PAGE,
            csv={},
        ),
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
        after: After = "",
        days: Annotated[
            int | None,
            Query(
                ge=1,
                le=MAX_CHART_DAYS,
                description="Add `daily_requests` to each row, of so many days up to `to`, however long the range is; JSON only.",
                examples=[30],
            ),
        ] = None,
        form: AskedForm = None,
    ) -> Response | CustomerPage:
        """List customers: all that there are, or their statistics over a range of days, worst first."""
        if first is None:
            for name in _OF_A_RANGE:
                if name in request.query_params:
                    refuse("needs_from", name, "Input should come with 'from'", request.query_params[name])
            if len(after) > MAX_CUSTOMER_ID_CHARACTERS:
                refuse("cursor", "after", "Input should be the `next` of an answer", after)
            return await _list(reader, prefix, after, limit or DEFAULT_LIMIT)
        check_range(first, last)
        order = Order.parse(sort)
        selection = Selection(
            first, last, order, prefix, end_of(prefix), cursor(after, order.field), days or 0
        )
        form = form_of(request, form)
        try:
            if form is Format.CSV and limit is None and "aws.event" not in request.scope:
                return await _stream(reader, selection, request)
            limit = limit or (GATEWAY_LIMIT if form is Format.CSV else DEFAULT_LIMIT)
            return await respond(request, answers, RankingQuery(selection, limit, form))
        except TooManyHistogramsError as error:
            others = ", ".join(field for field in SORT_FIELDS if field not in MERGED_FIELDS)
            message = f"{error}; choose fewer days, or sort by one of {others}"
            refuse("too_many_histograms", "sort", message, sort)

    return routes


async def _list(reader: Reader, prefix: str, after: str, limit: int) -> CustomerPage:
    position = {"after": after, "prefix": prefix, "end": end_of(prefix)}
    rows = await reader.rows(CUSTOMERS, position | {"limit": limit + 1})
    found = [CustomerOverview.model_validate(row) for row in rows[:limit]]
    return CustomerPage(customers=found, next=found[-1].customer_id if len(rows) > limit else None)


async def _stream(reader: Reader, selection: Selection, request: Request) -> Response:
    """Answer with all customers as CSV; what can go wrong shows with the first of them, before the status is sent."""
    pieces = csv_of_all(reader, selection)
    tag = etag((await anext(pieces)).decode(), Format.CSV)
    headers = {"ETag": tag, **HEADERS}
    if matches(request.headers.get("if-none-match"), tag):
        await pieces.aclose()
        return Response(status_code=304, headers=headers)
    first = await anext(pieces)

    async def all_pieces() -> AsyncIterator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    headers["Content-Disposition"] = attached(request)
    return StreamingResponse(all_pieces(), headers=headers, media_type=MEDIA_TYPES[Format.CSV])
