"""GET …/routes and …/statuses: what is inside the days of a customer, or of all customers."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, StringConstraints

from api import conditional
from api.authorisation import Rule, ruled
from api.breakdown_models import RouteCustomerPage, RoutePage, StatusPage
from api.breakdown_pages import Days, RouteCustomersQuery, RoutesQuery, StatusesQuery
from api.breakdown_responses import page_of, respond_within
from api.parameters import DEFAULT_LIMIT, NO_CONTROL_CHARACTERS, CalendarDate, CustomerId, Limit
from api.problems import REFUSALS
from api.representation import NUMBERS
from api.responses import AskedForm, LastDay, form_of
from api.revisions import CachedAnswers
from api.routes.stats import WITHOUT_BREAKDOWN, check
from api.settings import Auth
from logstats.domain.line import MAX_CUSTOMER_ID_CHARACTERS

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
_After = Annotated[
    str,
    StringConstraints(max_length=MAX_CUSTOMER_ID_CHARACTERS + 40, pattern=NO_CONTROL_CHARACTERS),
    Query(description="The `next` of the page before; without it, the first page."),
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
        after: _After = "",
        form: AskedForm = None,
    ) -> Response:
        """Divide a customer's days by route: method and path template."""
        check(request, first, last)
        days = Days(first, last, customer_id)
        page = page_of("route", sort, limit, after)
        return await respond_within(request, answers, RoutesQuery(days, page, form_of(request, form)))

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
        check(request, first, last)
        days = Days(first, last, customer_id)
        return await respond_within(request, answers, StatusesQuery(days, form_of(request, form)))

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
        after: _After = "",
        form: AskedForm = None,
    ) -> Response:
        """Divide the days of all customers by route: method and path template."""
        check(request, first, last)
        page = page_of("route", sort, limit, after)
        return await respond_within(
            request, answers, RoutesQuery(Days(first, last), page, form_of(request, form))
        )

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
        after: _After = "",
        form: AskedForm = None,
    ) -> Response:
        """List the customers that have requests to one route, with their statistics of that route."""
        check(request, first, last)
        page = page_of("customer_id", sort, limit, after)
        query = RouteCustomersQuery(Days(first, last), page, route, form_of(request, form))
        return await respond_within(request, answers, query)

    @routes.get(
        "/statuses",
        summary="Status codes of all customers together",
        **_documented(StatusPage, "any customer"),
    )
    async def all_statuses(
        request: Request, *, first: _First, last: LastDay = None, form: AskedForm = None
    ) -> Response:
        """Divide the days of all customers by status code."""
        check(request, first, last)
        return await respond_within(
            request, answers, StatusesQuery(Days(first, last), form_of(request, form))
        )

    return routes
