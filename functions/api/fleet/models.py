"""Answers about all customers, as the OpenAPI document describes them."""

import datetime as dt

from pydantic import BaseModel, ConfigDict, Field

from api.answers.representation import Changes, Count, CustomerStatistics, RequestStatistics, Seconds


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
        description="Requests on each of the last days up to the end of the range, 0 on a day without; as many as `days` says.",
        examples=[[12, 0, 7]],
    )


class RankedPage(BaseModel):
    """A page of customers that have requests in a range of days."""

    customers: list[RankedCustomer] = Field(description="In the order that `sort` says.")
    next: str | None = Field(description="The cursor of the next page; null on the last one.")


class AllCustomers(RequestStatistics):
    """All customers together; without requests, the uptime and the durations are null."""

    uptime_percentage: float | None = Field(  # type: ignore[assignment]  # null without requests
        description="100 * (1 - server_errors / total_requests), percent.", examples=[85.93], ge=0, le=100
    )
    duration_p50: Seconds = Field(
        default=None,
        description="Median duration, nearest rank, seconds. The percentiles are absent with `percentiles=false`.",
        examples=[1.05],
    )
    duration_p90: Seconds = Field(
        default=None, description="90th percentile, nearest rank, seconds.", examples=[1.81]
    )
    duration_p95: Seconds = Field(
        default=None, description="95th percentile, nearest rank, seconds.", examples=[1.91]
    )
    duration_p99: Seconds = Field(
        default=None, description="99th percentile, nearest rank, seconds.", examples=[1.98]
    )
    active_customers: Count = Field(description="Customers that have requests.", examples=[50])


class OverviewDay(AllCustomers):
    """All customers together on one UTC day."""

    date: dt.date = Field(description="The UTC day.", examples=["2024-10-03"])


class OverviewBefore(AllCustomers):
    """All customers together in the range of the same length just before."""

    first: dt.date = Field(alias="from", description="Its first UTC day.", examples=["2024-10-02"])
    last: dt.date = Field(alias="to", description="Its last UTC day.", examples=["2024-10-02"])


class SilentCustomer(BaseModel):
    """A customer that has requests in the range before, and none in the range."""

    customer_id: str = Field(description="The customer.", examples=["cust_7"])
    last_date: dt.date = Field(
        description="The last UTC day of the range before that has requests.", examples=["2024-10-02"]
    )
    requests_before: Count = Field(description="Requests in the range before.", examples=[212])


class SilentCustomers(BaseModel):
    """The customers that have fallen silent."""

    count: Count = Field(description="How many there are.", examples=[1])
    customers: list[SilentCustomer] = Field(description="The 100 with most requests before, most first.")


class LedgerTotals(BaseModel):
    """Add up the log objects whose last commit was on a day of the range (UTC), whatever days their lines are of.

    Without `to`: on a day of the range or later.
    """

    objects: Count = Field(description="Log objects.", examples=[24])
    lines: Count = Field(description="Their lines: accepted, rejected and skipped.", examples=[10_002])
    accepted: Count = Field(description="Lines that can be read.", examples=[10_000])
    rejected: Count = Field(description="Lines that cannot be read.", examples=[2])
    skipped: Count = Field(description="Lines that are no requests by their format.", examples=[0])
    expired: Count = Field(
        description="Accepted lines that came too late to count: their days are closed.", examples=[0]
    )
    unrecognised: Count = Field(description="Of the objects, those that no format fits.", examples=[0])


class Overview(Changes):
    """All customers together over a range of days, compared with the range of the same length just before."""

    model_config = ConfigDict(populate_by_name=True)

    first: dt.date | None = Field(
        alias="from", description="The first UTC day; null if there are no data.", examples=["2024-10-03"]
    )
    last: dt.date | None = Field(
        alias="to", description="The last UTC day; null if there are no data.", examples=["2024-10-03"]
    )
    days: list[OverviewDay] = Field(description="Each day that has requests, in their order.")
    total: AllCustomers = Field(description="The whole range.")
    before: OverviewBefore | None = Field(
        description="The range of the same length just before; null if it has no requests."
    )
    silent_customers: SilentCustomers = Field(
        description="Customers active in the range before, and not in the range."
    )
    new_customers: Count = Field(
        description="Customers whose very first request is in the range.", examples=[2]
    )
    ledger: LedgerTotals = Field(description="Log objects that were committed.")
