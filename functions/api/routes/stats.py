"""GET /customers/{customer_id}/stats."""

import datetime as dt
from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import APIRouter, Path, Query, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.convertors import StringConvertor, register_url_convertor

from api.answers.negotiation import disposition, matches
from api.answers.representation import MEDIA_TYPES, CustomerStatistics, Format, HourlyStatistics
from api.answers.responses import HEADERS, WITHOUT_BREAKDOWN, AskedForm, check_range, documented, form_of
from api.requests.authorisation import Rule, ruled
from api.requests.parameters import CalendarDate, CustomerId
from api.requests.problems import refuse
from api.settings import Auth
from api.statistics.periods import Interval
from api.statistics.query import CachedStatistics, StatisticsQuery, TooManyDaysError
from api.statistics.zones import UTC, UnsupportedOffsetError, ZoneName, check_offsets


class CustomerConvertor(StringConvertor):
    """A path parameter of any characters: a slash, and a line feed, which validation refuses."""

    regex = "(?s:.*)"


register_url_convertor("customer", CustomerConvertor())

Customer = Annotated[
    CustomerId,
    Path(description="The customer, percent-encoded; it may contain `/` as `%2F`.", examples=["cust_1"]),
]
_EXAMPLE = f"{','.join(CustomerStatistics.model_fields)}\r\ncust_1,2024-09-03,8,8,5,3,2,1,87.5,1.018875,0.962,1.871,1.871,1.871,1.871\r\n"


def router(statistics: CachedStatistics, auth: Auth) -> APIRouter:
    """Return the route, answered from a customer's statistics."""
    routes = APIRouter(route_class=ruled(Rule.CUSTOMER, auth))

    @routes.get(
        "/customers/{customer_id:customer}/stats",
        summary="Daily statistics of a customer",
        response_model=list[CustomerStatistics] | list[HourlyStatistics],
        **documented(
            "One object per day, hour or longer period that has requests, in their order; an empty list if there are none, or no "
            "such customer.",
            "every commit that touches the customer",
            WITHOUT_BREAKDOWN,
            csv={"example": _EXAMPLE},
        ),
    )
    async def daily_statistics(
        request: Request,
        customer_id: Customer,
        first: Annotated[
            CalendarDate,
            Query(
                alias="from",
                description="First day, YYYY-MM-DD: of UTC, or of `tz`.",
                examples=["2024-09-03"],
            ),
        ],
        last: Annotated[
            CalendarDate,
            Query(
                alias="to",
                description="Last day, YYYY-MM-DD, included; without it, all later days.",
                examples=["2024-10-03"],
            ),
        ] = dt.date.max,
        interval: Annotated[
            Interval,
            Query(
                description="Merge days into ISO weeks (from Monday), months, or one total; or divide them by the hour, for at "
                "most 366 days with requests. Only days from `from` to `to` count. Percentiles are exact, as they come from merged "
                "histograms; those of hours, and their `duration_max`, are within 0.4 %."
            ),
        ] = Interval.DAY,
        zone: Annotated[
            ZoneName,
            Query(
                alias="tz",
                description="The time zone of all days and hours, by its IANA name. In zones other than UTC percentiles and "
                "`duration_max` are within 0.4 %, and there are at most 1,098 days with requests. The zone's offset must be a "
                "multiple of 30 minutes in the whole range.",
                examples=["Europe/Berlin"],
            ),
        ] = UTC,
        form: AskedForm = None,
    ) -> Response:
        """Read counts, uptime and latency percentiles of each day, of each hour, or of longer periods."""
        check_path(request)
        check_range(first, last)
        query = StatisticsQuery(customer_id, first, last, interval, form_of(request, form), zone)
        try:
            if query.needs_slots:
                check_offsets(zone, first, last)
            answer = await statistics.answer(query)
        except UnsupportedOffsetError as error:
            refuse("time_zone_offset", "tz", str(error), zone)
        except TooManyDaysError as error:
            refuse("too_many_days", "to", str(error), None if last == dt.date.max else str(last))
        headers = {"ETag": answer.etag, **HEADERS}
        if answer.days_without_breakdown is not None:
            headers["Days-Without-Breakdown"] = str(answer.days_without_breakdown)
        if matches(request.headers.get("if-none-match"), answer.etag):
            return Response(status_code=304, headers=headers)
        if query.form is Format.CSV:
            headers["Content-Disposition"] = disposition(customer_id, query.form)
        return Response(answer.body, headers=headers, media_type=MEDIA_TYPES[query.form])

    return routes


def check_path(request: Request) -> None:
    """Refuse a customer that is not UTF-8."""
    try:
        unquote_to_bytes(request.scope.get("raw_path") or b"").decode()
    except UnicodeDecodeError:
        problem = {"type": "string_unicode", "loc": ("path", "customer_id"), "msg": "Input should be UTF-8"}
        raise RequestValidationError([{**problem, "input": None}]) from None
