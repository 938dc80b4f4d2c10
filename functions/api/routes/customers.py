"""GET /customers."""

import datetime as dt
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field, StringConstraints

from api.authorisation import Rule, ruled
from api.parameters import DEFAULT_LIMIT, NO_CONTROL_CHARACTERS, Limit
from api.problems import REFUSALS
from api.reader import Reader
from api.representation import Count
from api.settings import Auth
from api.statements import CUSTOMERS
from logstats.domain.line import MAX_CUSTOMER_ID_CHARACTERS

_LAST_CHARACTER = "\U0010ffff"
_SURROGATES = range(0xD800, 0xE000)
_Text = Annotated[
    str, StringConstraints(max_length=MAX_CUSTOMER_ID_CHARACTERS, pattern=NO_CONTROL_CHARACTERS)
]
_END = _LAST_CHARACTER * (MAX_CUSTOMER_ID_CHARACTERS + 1)
"""After every customer."""


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


def router(reader: Reader, auth: Auth) -> APIRouter:
    """Return the route, answered from a database."""
    routes = APIRouter(route_class=ruled(Rule.ALL_CUSTOMERS, auth))

    @routes.get("/customers", summary="Customers", responses=REFUSALS, tags=["statistics"])
    async def customers(
        prefix: Annotated[
            _Text, Query(description="Only customers whose ids start so; upper and lower case differ.")
        ] = "",
        limit: Limit = DEFAULT_LIMIT,
        after: Annotated[
            _Text, Query(description="The `next` of the page before; without it, the first page.")
        ] = "",
    ) -> CustomerPage:
        """List customers that have statistics, in the order of their ids."""
        position = {"after": after, "prefix": prefix, "end": end_of(prefix)}
        rows = await reader.rows(CUSTOMERS, position | {"limit": limit + 1})
        found = [CustomerOverview.model_validate(row) for row in rows[:limit]]
        return CustomerPage(customers=found, next=found[-1].customer_id if len(rows) > limit else None)

    return routes


def end_of(prefix: str) -> str:
    """Return the first text that comes after all that start with a prefix, by code points, as UTF-8 sorts."""
    kept = prefix.rstrip(_LAST_CHARACTER)
    if not kept:
        return _END
    following = ord(kept[-1]) + 1
    return kept[:-1] + chr(_SURROGATES.stop if following in _SURROGATES else following)
