"""Rows and pages of what is inside days, as the OpenAPI document describes them; `api.breakdown.query` makes them."""

from pydantic import BaseModel, Field

from api.answers.representation import Count, RequestStatistics


class _Route(BaseModel):
    route: str = Field(
        description="The method, and the path with `{id}` for what looks generated, or as it is declared. `(not found)` are "
        "answers 404 and requests without a readable path, `(other)` those beyond 500 routes of a log object and day.",
        examples=["GET /v1/orders/{id}"],
    )


class RouteStatistics(RequestStatistics, _Route):
    """The requests to one route: counts and mean are exact, percentiles and the longest duration within 0.4 %."""


class _Customer(BaseModel):
    customer_id: str = Field(description="The customer.", examples=["cust_1"])


class RouteOfCustomer(RequestStatistics, _Customer):
    """The requests of one customer to one route."""


class StatusStatistics(BaseModel):
    """The requests with one status code."""

    status: int = Field(
        description="The status code; 499 also where the client was gone.", examples=[429], ge=100, le=599
    )
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
