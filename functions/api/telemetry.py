"""The metrics of a request (`logstats.metrics`), from what API Gateway says of it and what was answered."""

from http import HTTPStatus
from typing import Any

from logstats.emission import emit
from logstats.metrics import (
    API_COLD_STARTS,
    CLIENT_ERRORS,
    DATABASE_AWAY,
    LATENCY,
    OTHER_ROUTE,
    ROUTES,
    SERVER_ERRORS,
    Metric,
)

_is_cold = True


def answered(event: dict[str, Any], status: int, seconds: float) -> None:
    """Tell how long a request took and whether it failed, by its route; never for which customer."""
    global _is_cold
    values: dict[Metric, float] = {LATENCY: seconds * 1_000}
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        values[SERVER_ERRORS] = 1
    elif status >= HTTPStatus.BAD_REQUEST:
        values[CLIENT_ERRORS] = 1
    if status == HTTPStatus.SERVICE_UNAVAILABLE:  # nothing else is
        values[DATABASE_AWAY] = 1
    if _is_cold:
        values[API_COLD_STARTS], _is_cold = 1, False
    _, _, path = event.get("routeKey", "").partition(" ")
    emit(values, route=ROUTES.get(path, OTHER_ROUTE))
