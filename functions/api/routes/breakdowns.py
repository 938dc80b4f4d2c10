"""GET …/routes and …/statuses: what is inside the days of a customer, or of all customers."""

from collections.abc import Awaitable, Callable, Iterator
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import Response
from pydantic import StringConstraints

from api.answers.cache import CachedAnswers
from api.answers.pages import Order, Page
from api.answers.representation import NUMBERS, Format
from api.answers.responses import (
    NEXT_PAGE,
    WITHOUT_BREAKDOWN,
    After,
    AskedForm,
    LastDay,
    check_range,
    cursor,
    documented,
    form_of,
    respond,
)
from api.breakdown.models import RouteCustomerPage, RoutePage, StatusPage
from api.breakdown.query import Days, RouteCustomersQuery, RoutesQuery, StatusesQuery
from api.breakdown.sums import TooManyBreakdownsError
from api.requests.authorisation import Rule, ruled
from api.requests.parameters import DEFAULT_LIMIT, NO_CONTROL_CHARACTERS, CalendarDate, Limit
from api.requests.problems import refuse
from api.routes.stats import Customer, check_path
from api.settings import Auth

DEFAULT_SORT = "-total_requests"
"""The most used first."""


_First = Annotated[
    CalendarDate, Query(alias="from", description="First UTC day, YYYY-MM-DD.", examples=["2024-09-03"])
]


async def _of_customer(customer_id: Customer, first: _First, last: LastDay = None) -> Days:
    return Days(first, last, customer_id)


async def _of_all(first: _First, last: LastDay = None) -> Days:
    return Days(first, last)


async def _form(request: Request, form: AskedForm = None) -> Format:
    return form_of(request, form)


def _page(name: str) -> Callable[..., Awaitable[Page]]:
    """Return what reads the parameters of a page; `name` is the field that names a row."""
    sorting = Query(
        description="A field of the rows, with `-` before it for descending. Ties are in the order of the names, nulls last.",
        pattern=f"^-?({'|'.join((name, *NUMBERS))})$",
        examples=["-server_errors"],
    )

    async def page(
        sort: Annotated[str, sorting] = DEFAULT_SORT,
        limit: Annotated[Limit, Query(examples=[100])] = DEFAULT_LIMIT,
        after: After = "",
    ) -> Page:
        order = Order.parse(sort)
        return Page(order, limit, cursor(after, "customer_id" if order.field == name else order.field))

    return page


_DaysOfCustomer = Annotated[Days, Depends(_of_customer)]
_DaysOfAll = Annotated[Days, Depends(_of_all)]
_RoutesPage = Annotated[Page, Depends(_page("route"))]
_CustomersPage = Annotated[Page, Depends(_page("customer_id"))]
_Form = Annotated[Format, Depends(_form)]


def _documented(touched: str) -> dict[str, Any]:
    description = "The rows; none if there are no requests."
    return documented(
        description, f"every commit that touches {touched}", WITHOUT_BREAKDOWN, NEXT_PAGE, csv={}
    )


def routers(answers: CachedAnswers, auth: Auth) -> Iterator[APIRouter]:
    """Return the routes about one customer, and those about all."""
    yield _about_one(answers, auth)
    yield _about_all(answers, auth)


def _about_one(answers: CachedAnswers, auth: Auth) -> APIRouter:
    routes = APIRouter(route_class=ruled(Rule.CUSTOMER, auth))
    path, told = "/customers/{customer_id:customer}", _documented("the customer")

    @routes.get(f"{path}/routes", summary="Routes of a customer", response_model=RoutePage, **told)
    async def customer_routes(
        request: Request, days: _DaysOfCustomer, page: _RoutesPage, form: _Form
    ) -> Response:
        """Divide a customer's days by route: method and path template."""
        return await _respond(request, answers, RoutesQuery(days, page, form))

    @routes.get(f"{path}/statuses", summary="Status codes of a customer", response_model=StatusPage, **told)
    async def customer_statuses(request: Request, days: _DaysOfCustomer, form: _Form) -> Response:
        """Divide a customer's days by status code."""
        return await _respond(request, answers, StatusesQuery(days, form))

    return routes


def _about_all(answers: CachedAnswers, auth: Auth) -> APIRouter:
    routes = APIRouter(route_class=ruled(Rule.ALL_CUSTOMERS, auth))
    told = _documented("any customer")

    @routes.get("/routes", summary="Routes of all customers together", response_model=RoutePage, **told)
    async def all_routes(request: Request, days: _DaysOfAll, page: _RoutesPage, form: _Form) -> Response:
        """Divide the days of all customers by route: method and path template."""
        return await _respond(request, answers, RoutesQuery(days, page, form))

    @routes.get("/routes/customers", summary="Customers of a route", response_model=RouteCustomerPage, **told)
    async def route_customers(
        request: Request,
        route: Annotated[
            str,
            StringConstraints(min_length=1, max_length=255, pattern=NO_CONTROL_CHARACTERS),
            Query(
                description="The route as an answer names it, percent-encoded.",
                examples=["GET /v1/orders/{id}"],
            ),
        ],
        days: _DaysOfAll,
        page: _CustomersPage,
        form: _Form,
    ) -> Response:
        """List the customers that have requests to one route, with their statistics of that route."""
        return await _respond(request, answers, RouteCustomersQuery(days, page, route, form))

    @routes.get(
        "/statuses", summary="Status codes of all customers together", response_model=StatusPage, **told
    )
    async def all_statuses(request: Request, days: _DaysOfAll, form: _Form) -> Response:
        """Divide the days of all customers by status code."""
        return await _respond(request, answers, StatusesQuery(days, form))

    return routes


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
