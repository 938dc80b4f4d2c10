"""GET /overview: all customers together."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.answers.cache import CachedAnswers
from api.answers.responses import LastDay, check_range, documented, respond
from api.fleet.histograms import TooManyHistogramsError
from api.fleet.models import Overview
from api.fleet.overview import OverviewQuery
from api.requests.authorisation import Rule, ruled
from api.requests.parameters import CalendarDate
from api.requests.problems import refuse
from api.settings import Auth


def router(answers: CachedAnswers, auth: Auth) -> APIRouter:
    """Return the route, answered from the statistics of all customers."""
    routes = APIRouter(route_class=ruled(Rule.ALL_CUSTOMERS, auth))

    @routes.get(
        "/overview",
        summary="All customers together",
        response_model=Overview,
        **documented("The overview.", "every commit that touches any customer, or the ledger of the range"),
    )
    async def overview(
        request: Request,
        *,
        first: Annotated[
            CalendarDate | None,
            Query(
                alias="from",
                description="First UTC day, YYYY-MM-DD; without it, the last day with data alone.",
                examples=["2024-10-03"],
            ),
        ] = None,
        last: LastDay = None,
        percentiles: Annotated[
            bool,
            Query(
                description="Without them, what needs every customer's histogram is left out: `duration_p50` to `duration_p99` "
                "and `change_p99`. The rest comes sooner."
            ),
        ] = True,
    ) -> Response:
        """Add up all customers: each day of a range, the whole of it, and how it differs from the range before."""
        if first is not None:
            check_range(first, last)
        elif last is not None:
            refuse("needs_from", "to", "Input should come with 'from'", str(last))
        query = OverviewQuery(first, last, percentiles)
        try:
            return await respond(request, answers, query)
        except TooManyHistogramsError as error:
            refuse(
                "too_many_histograms",
                "percentiles",
                f"{error}; choose fewer days, or percentiles=false",
                "true",
            )

    return routes
