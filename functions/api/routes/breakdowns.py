"""GET …/routes and …/statuses: what is inside the days of a customer, or of all customers.

One module, though long: FastAPI reads the parameters of an endpoint from its signature, and four endpoints share most of them.
"""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, StringConstraints

from api.answers.cache import CachedAnswers
from api.answers.pages import Order, Page
from api.answers.representation import NUMBERS
from api.answers.responses import (
    NEXT_PAGE,
    REQUEST_HEADERS,
    After,
    AskedForm,
    LastDay,
    check_range,
    cursor,
    documented,
    form_of,
    not_modified,
    respond,
)
from api.breakdown.models import RouteCustomerPage, RoutePage, StatusPage
from api.breakdown.query import Days, RouteCustomersQuery, RoutesQuery, StatusesQuery
from api.breakdown.sums import TooManyBreakdownsError
from api.requests.authorisation import Rule, ruled
from api.requests.parameters import DEFAULT_LIMIT, NO_CONTROL_CHARACTERS, CalendarDate, CustomerId, Limit
from api.requests.problems import REFUSALS, refuse
from api.routes.stats import WITHOUT_BREAKDOWN, check_path
from api.settings import Auth

DEFAULT_SORT = "-total_requests"
"""The most used first."""


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
_Limit = Annotated[Limit, Query(examples=[100])]


def _documented(model: type[BaseModel], whose: str) -> dict[str, Any]:
    headers = documented(f"every commit that touches {whose}") | WITHOUT_BREAKDOWN | NEXT_PAGE
    return {
        "response_model": model,
        "responses": {
            200: {
                "description": "The rows; none if there are no requests.",
                "headers": headers,
                "content": {"text/csv": {"schema": {"type": "string"}}},
            },
            **not_modified(headers),
            **REFUSALS,
        },
        "tags": ["statistics"],
        "openapi_extra": {"parameters": REQUEST_HEADERS},
    }


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
        last: LastDay = None,
        sort: _RouteSort = DEFAULT_SORT,
        limit: _Limit = DEFAULT_LIMIT,
        after: After = "",
        form: AskedForm = None,
    ) -> Response:
        """Divide a customer's days by route: method and path template."""
        days = Days(first, last, customer_id)
        page = _page("route", sort, limit, after)
        return await _respond(request, answers, RoutesQuery(days, page, form_of(request, form)))

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
        last: LastDay = None,
        form: AskedForm = None,
    ) -> Response:
        """Divide a customer's days by status code."""
        days = Days(first, last, customer_id)
        return await _respond(request, answers, StatusesQuery(days, form_of(request, form)))

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
        last: LastDay = None,
        sort: _RouteSort = DEFAULT_SORT,
        limit: _Limit = DEFAULT_LIMIT,
        after: After = "",
        form: AskedForm = None,
    ) -> Response:
        """Divide the days of all customers by route: method and path template."""
        page = _page("route", sort, limit, after)
        return await _respond(request, answers, RoutesQuery(Days(first, last), page, form_of(request, form)))

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
        last: LastDay = None,
        sort: _CustomerSort = DEFAULT_SORT,
        limit: _Limit = DEFAULT_LIMIT,
        after: After = "",
        form: AskedForm = None,
    ) -> Response:
        """List the customers that have requests to one route, with their statistics of that route."""
        page = _page("customer_id", sort, limit, after)
        query = RouteCustomersQuery(Days(first, last), page, route, form_of(request, form))
        return await _respond(request, answers, query)

    @routes.get(
        "/statuses",
        summary="Status codes of all customers together",
        **_documented(StatusPage, "any customer"),
    )
    async def all_statuses(
        request: Request, *, first: _First, last: LastDay = None, form: AskedForm = None
    ) -> Response:
        """Divide the days of all customers by status code."""
        return await _respond(request, answers, StatusesQuery(Days(first, last), form_of(request, form)))

    return routes


def _page(name: str, sort: str, limit: int, after: str) -> Page:
    """Return the page that the parameters ask for; `name` is the field that names a row."""
    order = Order.parse(sort)
    return Page(order, limit, cursor(after, "customer_id" if order.field == name else order.field))


async def _respond(
    request: Request, answers: CachedAnswers, query: RoutesQuery | RouteCustomersQuery | StatusesQuery
) -> Response:
    check_path(request)
    check_range(query.days.first, query.days.last)
    try:
        return await respond(request, answers, query)
    except TooManyBreakdownsError as error:
        last = query.days.last
        refuse("too_many_breakdowns", "to", f"{error}; choose fewer days", last and str(last))
