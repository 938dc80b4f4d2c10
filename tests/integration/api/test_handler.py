"""The Lambda handler with events as API Gateway sends them."""

import asyncio
import datetime as dt
import importlib
import importlib.metadata
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from local import postgres
from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from migrate import schema
from tests.days import insert_day

CHECKOUT = Path(__file__).parents[3]
DAY = dt.date(2024, 9, 3)
CONTEXT = SimpleNamespace(
    function_name="api",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:api",
    aws_request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
)


def event(path: str, query: str = "", method: str = "GET", **changes: object) -> dict[str, Any]:
    """Return payload 2.0, as in the documentation of API Gateway; there, every escape but %25 is decoded in the path."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "accept": "*/*",
            "host": "a1b2c3.execute-api.eu-west-1.amazonaws.com",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "a1b2c3",
            "domainName": "a1b2c3.execute-api.eu-west-1.amazonaws.com",
            "domainPrefix": "a1b2c3",
            "http": {
                "method": method,
                "path": path,
                "protocol": "HTTP/1.1",
                "sourceIp": "203.0.113.7",
                "userAgent": "curl/8",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "03/Sep/2024:12:00:00 +0000",
            "timeEpoch": 1725364800000,
        },
        "isBase64Encoded": False,
        **changes,
    }


def stats_of(customer: str, query: str = "from=2024-09-03") -> dict[str, Any]:
    return event(f"/customers/{customer}/stats", query)


class Function:
    """A Lambda environment: the handler module, imported afresh with its environment variables."""

    def __init__(self, database: DatabaseSettings, patch: pytest.MonkeyPatch, auth: str = "none") -> None:
        self.database = database
        patch.setenv("DATABASE_URL", database.url)
        patch.setenv("DATABASE_TLS", database.tls)
        patch.setenv("DATABASE_IAM_AUTH", "false")
        patch.setenv("API_AUTH", auth)
        sys.modules.pop("api.handler", None)
        self.module: ModuleType = importlib.import_module("api.handler")

    def __call__(self, request: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.module.handler(request, CONTEXT)
        json.dumps(answer)
        assert not answer["isBase64Encoded"]
        return answer

    def json(self, request: dict[str, Any]) -> Any:  # noqa: ANN401 - any JSON
        answer = self(request)
        assert answer["statusCode"] == 200, answer
        return json.loads(answer["body"])

    def backends(self) -> list[int]:
        with psycopg.connect(self.database.url) as connection:
            rows = connection.execute(
                "SELECT pid FROM pg_stat_activity WHERE application_name = 'logstats-api' "
                "AND datname = current_database()"
            )
            return [row[0] for row in rows]

    def stop(self) -> None:
        asyncio.set_event_loop(self.module._loop)
        self.module._loop.run_until_complete(self.module._app.state.reader.close())
        self.module._loop.close()
        asyncio.set_event_loop(None)


@pytest.fixture
def function(database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    function = Function(database, monkeypatch)
    yield function
    function.stop()


def test_statistics_are_answered(function: Function, engine: sa.Engine) -> None:
    insert_day(engine, "cust_1", DAY, [123_000, 456_000, 2_000_000], client_errors=1, server_errors=1)
    answer = function(stats_of("cust_1"))
    assert answer["statusCode"] == 200
    assert answer["headers"]["content-type"] == "application/json"
    assert json.loads(answer["body"]) == [
        {
            "customer_id": "cust_1",
            "date": "2024-09-03",
            "total_requests": 3,
            "success_requests": 1,
            "failed_requests": 2,
            "client_errors": 1,
            "server_errors": 1,
            "uptime_percentage": 200 / 3,
            "duration_mean": 2.579 / 3,
            "duration_p50": 0.456,
            "duration_p90": 2.0,
            "duration_p95": 2.0,
            "duration_p99": 2.0,
            "duration_max": 2.0,
        }
    ]


@pytest.mark.parametrize(
    ("request_event", "status"),
    [
        (event("/customers/cust_1/stats", "from=2024-09-03&to=2024-09-03"), 200),
        (event("/customers/cust_1/stats", "from=0001-01-01&to=9999-12-31"), 200),
        (event("/customers/nobody/stats", "from=2024-09-03"), 200),
        (event("/customers/' OR 1=1 --/stats", "from=2024-09-03"), 200),
        (event("/customers/\U0001f600/stats", "from=2024-09-03"), 200),
        (event("/customers/cust_1/stats"), 422),
        (event("/customers/cust_1/stats", "from=yesterday"), 422),
        (event("/customers/cust_1/stats", "from=2024-09-03&to=2024-09-02"), 422),
        (event("/customers/cust_1/stats", "from=2024-09-03&from=2024-09-04"), 422),
        (event("/customers/cust_1/stats", "from=%27%3B--"), 422),
        (event("/customers/a\0b/stats", "from=2024-09-03"), 422),
        (event("/customers/a\nb/stats", "from=2024-09-03"), 422),
        (event("/customers/\ud800/stats", "from=2024-09-03"), 422),
        (event("/customers//stats", "from=2024-09-03"), 422),
        (event(f"/customers/{'x' * 256}/stats", "from=2024-09-03"), 422),
        (event("/nowhere"), 404),
        (event("/customers/cust_1"), 404),
        (event("/customers/cust_1/stats/", "from=2024-09-03"), 404),
        (event("/customers/cust_1/stats", "from=2024-09-03", method="POST"), 405),
        (event("/customers/cust_1/stats", "from=2024-09-03", cookies=["a=b", "c=d"]), 200),
        (event("/customers/cust_1/stats", "from=2024-09-03", method="HEAD"), 200),
        (event("/openapi.json"), 200),
        (event("/docs"), 200),
    ],
)
def test_every_event_has_its_status(function: Function, request_event: dict[str, Any], status: int) -> None:
    answer = function(request_event)
    assert answer["statusCode"] == status
    if status in {404, 405}:
        assert answer["headers"]["content-type"] == "application/problem+json"
        assert json.loads(answer["body"])["status"] == status
    if status == 422:
        assert json.loads(answer["body"])["detail"][0]["msg"]


@pytest.mark.parametrize(
    ("path", "customer_id"),
    [
        ("a/b", "a/b"),
        ("100%25", "100%"),
        ("a%252Fb", "a%2Fb"),
        ("\u540d\u524d", "\u540d\u524d"),
        ("a+b", "a+b"),
    ],
)
def test_the_gateways_decoding_is_completed_once(
    function: Function, engine: sa.Engine, path: str, customer_id: str
) -> None:
    insert_day(engine, customer_id, DAY)
    assert [day["customer_id"] for day in function.json(stats_of(path))] == [customer_id]


def test_trap_05_lifespan_is_off(function: Function) -> None:
    assert function.module._adapter.lifespan == "off"


def test_trap_05_asyncio_run_elsewhere_does_not_break_the_next_call(function: Function) -> None:
    before = (function.json(stats_of("cust_1")), function.backends())
    asyncio.run(asyncio.sleep(0))
    assert (function.json(stats_of("cust_1")), function.backends()) == before


def test_trap_07_invocations_share_one_loop_and_one_connection(function: Function) -> None:
    assert function.backends() == []  # the import connects to nothing
    function(stats_of("cust_1"))
    first = function.backends()
    function(stats_of("cust_2"))
    assert len(first) == 1
    assert function.backends() == first


def test_trap_07_a_connection_ended_between_invocations_is_replaced(function: Function) -> None:
    function(stats_of("cust_1"))
    [before] = function.backends()
    with psycopg.connect(function.database.url) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [before])
    assert function.json(stats_of("cust_1")) == []
    [after] = function.backends()
    assert after != before


def test_trap_09_a_stopped_database_is_503_until_it_is_back(
    postgres_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgres.start(postgres_folder / "stopped")
    server.create_database("logstats")
    engine = create_engine(server.settings())
    schema.upgrade(engine)
    insert_day(engine, "cust_1", DAY)
    engine.dispose()
    function = Function(server.settings(), monkeypatch)
    try:
        assert len(function.json(stats_of("cust_1"))) == 1
        server.stop()
        started = time.monotonic()
        answer = function(stats_of("cust_1"))
        assert time.monotonic() - started < 1
        assert answer["statusCode"] == 503
        assert answer["headers"]["retry-after"] == "10"
        assert answer["headers"]["content-type"] == "application/problem+json"
        assert "Traceback" not in answer["body"]
        server = postgres.start(postgres_folder / "stopped")
        assert len(function.json(stats_of("cust_1"))) == 1
    finally:
        function.stop()
        server.stop()


def test_an_error_of_ours_is_logged_and_not_shown(
    function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(function.database.url) as connection:
        connection.execute("DROP TABLE daily_statistics")
    answer = function(stats_of("cust_1"))
    assert answer["statusCode"] == 500
    assert "daily_statistics" not in answer["body"]
    assert "daily_statistics" in caplog.text


@pytest.mark.parametrize(
    "path", ["/customers/cust_1/stats", "/customers", "/docs", "/openapi.json", "/ready"]
)
def test_a_stage_path_is_taken_off(
    database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setenv("API_ROOT_PATH", "/dev")
    function = Function(database, monkeypatch)
    try:
        query = "from=2024-09-03" if path.endswith("stats") else ""
        assert function(event(f"/dev{path}", query))["statusCode"] == 200
    finally:
        function.stop()


def test_the_gateways_caller_is_let_in_and_nobody_else(
    database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    function = Function(database, monkeypatch, auth="iam")
    try:
        request = stats_of("cust_1")
        assert function(request)["statusCode"] == 401
        request["requestContext"]["authorizer"] = {"iam": {"accessKey": "AKIA"}}
        assert function(request)["statusCode"] == 200
    finally:
        function.stop()


def test_answers_and_log_lines_name_the_gateways_request(
    function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(function.database.url) as connection:
        connection.execute("DROP TABLE daily_statistics")
    for request in (event("/nowhere"), stats_of("cust_1", "from=never"), stats_of("cust_1")):
        assert function(request)["headers"]["x-request-id"] == "JKJaXmPLvHcESHA="
    assert [getattr(record, "request_id", None) for record in caplog.records] == ["JKJaXmPLvHcESHA="]
