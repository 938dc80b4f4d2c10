import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.answers.cache import LRUCache
from api.database.reader import Reader
from api.requests import problems
from api.routes import stats
from api.settings import ApiSettings
from api.statistics.query import CachedStatistics
from api.statistics.statements import DAILY_STATISTICS
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
APP.include_router(stats.router(CachedStatistics(READING, LRUCache(0)), "none"))
problems.install(APP, ApiSettings())


def ask(path: str, query: str) -> tuple[httpx.Response, list[tuple[object, ...]]]:
    READING.asked = []
    return get(APP, f"/customers/{path}/stats?{query}"), READING.asked


@pytest.mark.parametrize(
    ("path", "customer_id"),
    [
        ("a%2Fb", "a/b"),
        ("a/b", "a/b"),
        ("stats", "stats"),
        ("a%2Fstats", "a/stats"),
        ("%25", "%"),
        ("%252F", "%2F"),
        ("a%20b", "a b"),
        ("%27%20OR%201=1%20--", "' OR 1=1 --"),
        ("a;DROP%20TABLE%20daily_statistics", "a;DROP TABLE daily_statistics"),
        ("+", "+"),
        ("%F0%9F%98%80" * 255, "😀" * 255),
    ],
)
def test_customer_ids_arrive_as_they_are_in_the_log(path: str, customer_id: str) -> None:
    response, asked = ask(path, "from=2024-09-03")
    assert response.status_code == 200
    assert asked == [(customer_id, dt.date(2024, 9, 3), dt.date.max)]


@pytest.mark.parametrize(
    ("query", "name", "kind"),
    [
        ("", "from", "missing"),
        ("from=", "from", "date_parsing"),
        ("from=2024-09-31", "from", "date_parsing"),
        ("from=%00", "from", "date_parsing"),
        ("from=%FF", "from", "date_parsing"),
        ("from=2024-09-03&to=", "to", "date_parsing"),
        ("from=2024-09-03&to=2024-09-02", "to", "date_order"),
        ("from=2024-09-03&from=2024-09-03", "from", "repeated"),
        ("from=2024-09-03&to=2024-09-04&to=2024-09-04", "to", "repeated"),
        ("from=2024-09-03&tz=Europe/Nowhere", "tz", "time_zone"),
        ("from=2024-09-03&From=2024-09-03", "From", "unknown"),
        ("from=2024-09-03&utm=", "utm", "unknown"),
        ("from=2024-09-03&zone=a&zone=b", "zone", "unknown"),
        ("from=2024-09-03&tz=UTC&tz=UTC", "tz", "repeated"),
        ("from=2024-09-03&interval=minute", "interval", "enum"),
    ],
)
def test_bad_parameters_are_refused_in_fastapis_form(query: str, name: str, kind: str) -> None:
    message = refusal("cust_1", query, ["query", name], kind)
    assert (
        message == "Input should be one of format, from, interval, to, tz" if kind == "unknown" else message
    )


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
    assert refusal(path, "from=2024-09-03", ["path", "customer_id"], kind)


def refusal(path: str, query: str, place: list[str], kind: str) -> str:
    """The message of the only problem; the database was not asked."""
    response, asked = ask(path, query)
    assert response.status_code == 422
    [problem] = response.json()["detail"]
    assert (problem["loc"], problem["type"]) == (place, kind)
    assert asked == []
    return str(problem["msg"])
