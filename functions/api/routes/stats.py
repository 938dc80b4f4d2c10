"""GET /customers/{customer_id}/stats."""

import datetime as dt
import re
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.convertors import StringConvertor, register_url_convertor

from api.daily import DailyStatistics, to_json
from api.database import Database
from api.parameters import MAX_CUSTOMER_ID_CHARACTERS, CalendarDate, CustomerId, check_order
from api.problems import UNAVAILABLE
from api.statements import DAILY_STATISTICS


class CustomerConvertor(StringConvertor):
    """A path parameter of any characters: a slash, and a line feed, which validation refuses."""

    regex = "(?s:.*)"


register_url_convertor("customer", CustomerConvertor())

_PLAIN_QUERY = re.compile(rb"from=([0-9]{4}-[0-9]{2}-[0-9]{2})(?:&to=([0-9]{4}-[0-9]{2}-[0-9]{2}))?")


def router(database: Database) -> APIRouter:
    """Return the route, answered from a database."""

    async def answer(customer_id: str, first: dt.date, last: dt.date) -> Response:
        rows = await database.fetch(DAILY_STATISTICS, customer_id, first, last)
        return Response(to_json(rows), media_type="application/json")

    class PlainFirst(APIRoute):
        """Answers plainly valid requests itself; FastAPI, which takes longer, judges the others."""

        def get_route_handler(self) -> Callable[[Request], Any]:
            judge = super().get_route_handler()

            async def handle(request: Request) -> Response:
                plain = _plain(request)
                answered: Response = await (answer(*plain) if plain else judge(request))
                return answered

            return handle

    routes = APIRouter(route_class=PlainFirst)

    @routes.get(
        "/customers/{customer_id:customer}/stats",
        summary="Daily statistics of a customer",
        response_model=list[DailyStatistics],
        response_description="One object per UTC day that has requests, in the order of the days; "
        "an empty list if there are none, or no such customer.",
        responses=UNAVAILABLE,
        tags=["statistics"],
    )
    async def daily_statistics(
        request: Request,
        customer_id: Annotated[
            CustomerId,
            Path(
                description="The customer, percent-encoded; it may contain `/` as `%2F`.", examples=["cust_1"]
            ),
        ],
        first: Annotated[
            CalendarDate,
            Query(alias="from", description="First UTC day, YYYY-MM-DD.", examples=["2024-09-03"]),
        ],
        last: Annotated[
            CalendarDate,
            Query(
                alias="to",
                description="Last UTC day, YYYY-MM-DD, included; without it, all later days.",
                examples=["2024-10-03"],
            ),
        ] = dt.date.max,
    ) -> Response:
        """Read counts, uptime and latency percentiles of each day."""
        _check(request, first, last)
        return await answer(customer_id, first, last)

    return routes


def _plain(request: Request) -> tuple[str, dt.date, dt.date] | None:
    """Read a request in its usual form, or leave it to FastAPI."""
    customer_id = request.path_params["customer_id"]
    match = _PLAIN_QUERY.fullmatch(request.scope["query_string"])
    if match is None or not (
        0 < len(customer_id) <= MAX_CUSTOMER_ID_CHARACTERS
        and customer_id.isascii()
        and customer_id.isprintable()
    ):
        return None
    first, last = match.groups()
    try:
        days = (
            dt.date.fromisoformat(first.decode()),
            dt.date.fromisoformat(last.decode()) if last else dt.date.max,
        )
    except ValueError:
        return None
    return (customer_id, *days) if days[0] <= days[1] else None


def _check(request: Request, first: dt.date, last: dt.date) -> None:
    """Refuse what the parameters show only together, or not at all."""
    problems: list[dict[str, Any]] = [
        {"type": "repeated", "loc": ("query", name), "msg": "Input should be given once", "input": values}
        for name in ("from", "to")
        if len(values := request.query_params.getlist(name)) > 1
    ]
    try:
        check_order(first, last)
    except ValueError as error:
        last_text = request.query_params["to"]
        problems.append({"type": "date_order", "loc": ("query", "to"), "msg": str(error), "input": last_text})
    try:
        unquote_to_bytes(request.scope.get("raw_path") or b"").decode()
    except UnicodeDecodeError:
        loc = ("path", "customer_id")
        problems.append({"type": "string_unicode", "loc": loc, "msg": "Input should be UTF-8", "input": None})
    if problems:
        raise RequestValidationError(problems)
