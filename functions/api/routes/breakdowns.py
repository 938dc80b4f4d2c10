"""GET …/routes and …/statuses: what is inside the days of a customer, or of all customers."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Any, Protocol
from urllib.parse import urlencode

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field, StringConstraints, create_model

from api import conditional, revisions
from api.authorisation import Rule, ruled
from api.breakdown_pages import Days, Page, RouteCustomersQuery, RoutesQuery, StatusesQuery
from api.breakdowns import TooManyBreakdownsError
from api.cursors import parse as parse_cursor
from api.fleet import Order
from api.negotiation import preferred
from api.parameters import DEFAULT_LIMIT, NO_CONTROL_CHARACTERS, CalendarDate, CustomerId, Limit
from api.problems import REFUSALS, refuse
from api.representation import MEDIA_TYPES, NUMBERS, Count, CustomerStatistics, Format
from api.revisions import CachedAnswers
from api.routes.stats import WITHOUT_BREAKDOWN, check
from api.settings import Auth
from logstats.domain.line import MAX_CUSTOMER_ID_CHARACTERS

DEFAULT_SORT = "-total_requests"
"""The most used first."""

_NUMBERS: dict[str, Any] = {
    name: (CustomerStatistics.model_fields[name].annotation, CustomerStatistics.model_fields[name])
    for name in NUMBERS
}
RouteStatistics = create_model(
    "RouteStatistics",
    __doc__="The requests to one route: counts and mean are exact, percentiles and the longest duration within 0.4 %.",
    route=(
        str,
        Field(
            description="The method, and the path with `{id}` for what looks generated, or as it is declared. `(not found)` are "
            "answers 404 and requests without a readable path, `(other)` those beyond 500 routes of a log object and day.",
            examples=["GET /v1/orders/{id}"],
        ),
    ),
    **_NUMBERS,
)
RouteOfCustomer = create_model(
    "RouteOfCustomer",
    __doc__="The requests of one customer to one route.",
    customer_id=(str, Field(description="The customer.", examples=["cust_1"])),
    **_NUMBERS,
)


class StatusStatistics(BaseModel):
    """The requests with one status code."""

    status: int = Field(description="The status code; 0 if the log has none.", examples=[429], ge=0, le=999)
    total_requests: Count = Field(description="Requests that were answered with it.", examples=[3])


class _Rows(BaseModel):
    """Rows, and what is missing from them."""

    days_without_breakdown: Count = Field(
        description="Days with requests that are missing from the rows: they were ingested before days were divided, or without "
        "this part. Of all customers: the sum of each one's days.",
        examples=[0],
    )
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


class RoutePage(_Rows):
    """A page of routes."""

    rows: list[RouteStatistics] = Field(description="In the order that `sort` says.")


class RouteCustomerPage(_Rows):
    """A page of customers that have requests to a route."""

    rows: list[RouteOfCustomer] = Field(description="In the order that `sort` says.")


class StatusPage(_Rows):
    """All status codes."""

    rows: list[StatusStatistics] = Field(description="In the order of the codes; there is no next page.")


def _sort(name: str) -> Any:  # noqa: ANN401 - what FastAPI's Query returns
    return Query(
        description="A field of the rows, with `-` before it for descending. Ties are in the order of the names, nulls last.",
        pattern=f"^-?({'|'.join((name, *NUMBERS))})$",
        examples=["-server_errors"],
    )


_RouteSort = Annotated[str, _sort("route")]
_CustomerSort = Annotated[str, _sort("customer_id")]
_Customer = Annotated[
    CustomerId,
    Path(description="The customer, percent-encoded; it may contain `/` as `%2F`.", examples=["cust_1"]),
]
_First = Annotated[
    CalendarDate, Query(alias="from", description="First UTC day, YYYY-MM-DD.", examples=["2024-09-03"])
]
_Last = Annotated[
    CalendarDate | None,
    Query(
        alias="to",
        description="Last UTC day, included; without it, the last day with data.",
        examples=["2024-10-03"],
    ),
]
_Limit = Annotated[Limit, Query(examples=[100])]
_After = Annotated[
    str,
    StringConstraints(max_length=MAX_CUSTOMER_ID_CHARACTERS + 40, pattern=NO_CONTROL_CHARACTERS),
    Query(description="The `next` of the page before; without it, the first page."),
]
_Form = Annotated[
    Format | None,
    Query(alias="format", description="JSON or CSV; without it, what `Accept` prefers.", examples=["csv"]),
]


def _documented(model: type[BaseModel], whose: str) -> dict[str, Any]:
    headers = conditional.documented(f"every commit that touches {whose}") | WITHOUT_BREAKDOWN
    headers["Link"] = {
        "description": 'The next page, `rel="next"`, if there is one.',
        "schema": {"type": "string"},
    }
    return {
        "response_model": model,
        "responses": {
            200: {
                "description": "The rows; none if there are no requests.",
                "headers": headers,
                "content": {"text/csv": {"schema": {"type": "string"}}},
            },
            **conditional.not_modified(headers),
            **REFUSALS,
        },
        "tags": ["statistics"],
        "openapi_extra": {"parameters": conditional.REQUEST_HEADERS},
    }


class _Divided(revisions.Query, Protocol):
    """A question about the inside of days."""

    @property
    def days(self) -> Days:
        """The days."""


def routers(answers: CachedAnswers, auth: Auth) -> Iterator[APIRouter]:
    """Return the routes about one customer, and those about all."""
    yield _of_customer(answers, auth)
    yield _of_all(answers, auth)


def _of_customer(answers: CachedAnswers, auth: Auth) -> APIRouter:
    routes = APIRouter(route_class=ruled(Rule.CUSTOMER, auth))

    @routes.get(
        "/customers/{customer_id:customer}/routes",
        summary="Routes of a customer",
        **_documented(RoutePage, "the customer"),
    )
    async def customer_routes(
        request: Request,
        *,
        customer_id: _Customer,
        first: _First,
        last: _Last = None,
        sort: _RouteSort = DEFAULT_SORT,
        limit: _Limit = DEFAULT_LIMIT,
        after: _After = "",
        form: _Form = None,
    ) -> Response:
        """Divide a customer's days by route: method and path template."""
        check(request, first, last)
        days = Days(first, last, customer_id)
        page = _page("route", sort, limit, after)
        return await _answer(request, answers, RoutesQuery(days, page, _form(request, form)))

    @routes.get(
        "/customers/{customer_id:customer}/statuses",
        summary="Status codes of a customer",
        **_documented(StatusPage, "the customer"),
    )
    async def customer_statuses(
        request: Request,
        *,
        customer_id: _Customer,
        first: _First,
        last: _Last = None,
        form: _Form = None,
    ) -> Response:
        """Divide a customer's days by status code."""
        check(request, first, last)
        days = Days(first, last, customer_id)
        return await _answer(request, answers, StatusesQuery(days, _form(request, form)))

    return routes


def _of_all(answers: CachedAnswers, auth: Auth) -> APIRouter:
    routes = APIRouter(route_class=ruled(Rule.ALL_CUSTOMERS, auth))

    @routes.get(
        "/routes", summary="Routes of all customers together", **_documented(RoutePage, "any customer")
    )
    async def all_routes(
        request: Request,
        *,
        first: _First,
        last: _Last = None,
        sort: _RouteSort = DEFAULT_SORT,
        limit: _Limit = DEFAULT_LIMIT,
        after: _After = "",
        form: _Form = None,
    ) -> Response:
        """Divide the days of all customers by route: method and path template."""
        check(request, first, last)
        page = _page("route", sort, limit, after)
        return await _answer(request, answers, RoutesQuery(Days(first, last), page, _form(request, form)))

    @routes.get(
        "/routes/customers",
        summary="Customers of a route",
        **_documented(RouteCustomerPage, "any customer"),
    )
    async def route_customers(
        request: Request,
        *,
        route: Annotated[
            str,
            StringConstraints(min_length=1, max_length=255, pattern=NO_CONTROL_CHARACTERS),
            Query(
                description="The route as an answer names it, percent-encoded.",
                examples=["GET /v1/orders/{id}"],
            ),
        ],
        first: _First,
        last: _Last = None,
        sort: _CustomerSort = DEFAULT_SORT,
        limit: _Limit = DEFAULT_LIMIT,
        after: _After = "",
        form: _Form = None,
    ) -> Response:
        """List the customers that have requests to one route, with their statistics of that route."""
        check(request, first, last)
        page = _page("customer_id", sort, limit, after)
        query = RouteCustomersQuery(Days(first, last), page, route, _form(request, form))
        return await _answer(request, answers, query)

    @routes.get(
        "/statuses",
        summary="Status codes of all customers together",
        **_documented(StatusPage, "any customer"),
    )
    async def all_statuses(
        request: Request, *, first: _First, last: _Last = None, form: _Form = None
    ) -> Response:
        """Divide the days of all customers by status code."""
        check(request, first, last)
        return await _answer(request, answers, StatusesQuery(Days(first, last), _form(request, form)))

    return routes


def _form(request: Request, form: Format | None) -> Format:
    return form or preferred(request.headers.get("accept", ""))


def _page(name: str, sort: str, limit: int, after: str) -> Page:
    order = Order.parse(sort)
    try:
        cursor = parse_cursor(after, "customer_id" if order.field == name else order.field) if after else None
    except ValueError as error:
        refuse("cursor", "after", str(error), after)
    return Page(order, limit, cursor)


async def _answer(request: Request, answers: CachedAnswers, query: _Divided) -> Response:
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
