import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api import problems
from api.cache import CachedStatistics
from api.reader import Reader
from api.routes import stats
from api.settings import ApiSettings
from api.statements import DAILY_STATISTICS
from tests.asgi import get


class Reading(Reader):
    """Stands in for the database: remembers what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[object, ...]] = []

    def deadline(self) -> float:
        return 1e12

    async def rows(
        self, statement: object, parameters: Mapping[str, Any] | None = None, **_: object
    ) -> Sequence[Any]:
        assert statement is DAILY_STATISTICS
        assert parameters is not None
        self.asked.append(tuple(parameters.values()))
        return []


READING = Reading()
APP = FastAPI()
APP.include_router(stats.router(CachedStatistics(READING, 0), "none"))
problems.install(APP, ApiSettings())


def ask(path: str, query: str) -> tuple[httpx.Response, list[tuple[object, ...]]]:
    READING.asked = []
    return get(APP, f"/customers/{path}/stats?{query}"), READING.asked


def test_a_plain_request_asks_for_the_days() -> None:
    response, asked = ask("cust_1", "from=2024-09-03&to=2024-09-05")
    assert (response.status_code, response.text) == (200, "[]")
    assert response.headers["content-type"] == "application/json"
    assert asked == [("cust_1", dt.date(2024, 9, 3), dt.date(2024, 9, 5))]


@pytest.mark.parametrize(
    ("path", "customer_id"),
    [
        ("a%2Fb", "a/b"),
        ("a/b", "a/b"),
        ("stats", "stats"),
        ("a%2Fstats", "a/stats"),
        ("%F0%9F%98%80", "😀"),
        ("%25", "%"),
        ("%252F", "%2F"),
        ("a%20b", "a b"),
        ("%27%20OR%201=1%20--", "' OR 1=1 --"),
        ("a;DROP%20TABLE%20daily_statistics", "a;DROP TABLE daily_statistics"),
        ("+", "+"),
        ("x" * 255, "x" * 255),
    ],
)
def test_customer_ids_arrive_as_they_are_in_the_log(path: str, customer_id: str) -> None:
    response, asked = ask(path, "from=2024-09-03")
    assert response.status_code == 200
    assert asked == [(customer_id, dt.date(2024, 9, 3), dt.date.max)]


@pytest.mark.parametrize(
    ("query", "place", "kind"),
    [
        ("", ["query", "from"], "missing"),
        ("from=", ["query", "from"], "date_parsing"),
        ("from=2024-09-31", ["query", "from"], "date_parsing"),
        ("from=%00", ["query", "from"], "date_parsing"),
        ("from=%FF", ["query", "from"], "date_parsing"),
        ("from=2024-09-03&to=", ["query", "to"], "date_parsing"),
        ("from=2024-09-03&to=2024-09-02", ["query", "to"], "date_order"),
        ("from=2024-09-03&from=2024-09-03", ["query", "from"], "repeated"),
        ("from=2024-09-03&to=2024-09-04&to=2024-09-04", ["query", "to"], "repeated"),
    ],
)
def test_bad_days_are_refused_in_fastapis_form(query: str, place: list[str], kind: str) -> None:
    response, asked = ask("cust_1", query)
    assert response.status_code == 422
    [problem] = response.json()["detail"]
    assert (problem["loc"], problem["type"]) == (place, kind)
    assert problem["msg"]
    assert asked == []


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", "string_too_short"),
        ("x" * 256, "string_too_long"),
        ("a%00", "string_pattern_mismatch"),
        ("%0A", "string_pattern_mismatch"),
        ("%C2%85", "string_pattern_mismatch"),
        ("%FF", "string_unicode"),
        ("%ED%A0%80", "string_unicode"),
    ],
)
def test_bad_customer_ids_are_refused_in_fastapis_form(path: str, kind: str) -> None:
    response, asked = ask(path, "from=2024-09-03")
    assert response.status_code == 422
    [problem] = response.json()["detail"]
    assert (problem["loc"], problem["type"]) == (["path", "customer_id"], kind)
    assert asked == []


@pytest.mark.parametrize("query", ["tz=Europe/Berlin", "From=2024-09-03", "utm=", "tz=a&tz=b"])
def test_unknown_parameters_are_refused(query: str) -> None:
    response, asked = ask("cust_1", f"from=2024-09-03&{query}")
    assert response.status_code == 422
    [problem] = response.json()["detail"]
    assert (problem["loc"], problem["type"]) == (["query", query.partition("=")[0]], "unknown")
    assert problem["msg"] == "Input should be one of format, from, interval, to"
    assert asked == []
