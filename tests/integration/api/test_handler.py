"""The Lambda handler with events as API Gateway sends them."""

import asyncio
import datetime as dt
import importlib
import importlib.metadata
import json
import sys
import time
from collections.abc import Iterator
from contextlib import closing
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
from tests.events import api_event as event
from tests.execution import execution_environment

DAY = dt.date(2024, 9, 3)
CONTEXT = SimpleNamespace(
    function_name="api",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:api",
    aws_request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
)


def stats_of(customer: str, query: str = "from=2024-09-03") -> dict[str, Any]:
    return event(f"/customers/{customer}/stats", query)


def variables(database: DatabaseSettings) -> dict[str, str]:
    return {
        "DATABASE_URL": database.url,
        "DATABASE_TLS": database.tls,
        "DATABASE_IAM_AUTH": "false",
        "API_AUTH": "none",
    }


class Function:
    """A Lambda environment: the handler module, imported afresh with its environment variables."""

    def __init__(self, database: DatabaseSettings, patch: pytest.MonkeyPatch, **more: str) -> None:
        self.database = database
        for name, text in (variables(database) | more).items():
            patch.setenv(name, text)
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

    def close(self) -> None:
        asyncio.set_event_loop(self.module._loop)
        self.module._loop.run_until_complete(self.module._app.state.reader.close())
        self.module._loop.close()
        asyncio.set_event_loop(None)


@pytest.fixture
def function(database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Function]:
    with closing(Function(database, monkeypatch)) as function:
        yield function


@pytest.mark.parametrize(
    ("request_event", "status"),
    [
        (event("/customers/cust_1/stats", "from=2024-09-03&to=2024-09-03"), 200),
        (event("/customers/nobody/stats", "from=2024-09-03"), 200),
        (event("/customers/' OR 1=1 --/stats", "from=2024-09-03"), 200),
        (event("/customers/cust_1/stats"), 422),
        (event("/customers/a\0b/stats", "from=2024-09-03"), 422),
        (event("/customers/\ud800/stats", "from=2024-09-03"), 422),
        (event("/nowhere"), 404),
        (event("/customers/cust_1"), 404),
        (event("/customers/cust_1/stats/", "from=2024-09-03"), 404),
        (event("/customers/cust_1/stats", "from=2024-09-03", method="POST"), 405),
        (event("/customers/cust_1/stats", "from=2024-09-03", cookies=["a=b", "c=d"]), 200),
        (event("/customers/cust_1/stats", "from=2024-09-03", method="HEAD"), 200),
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


def test_trap_07_invocations_share_one_connection_which_is_replaced_when_it_has_ended(
    function: Function,
) -> None:
    assert function.backends() == []  # the import connects to nothing
    function(stats_of("cust_1"))
    [first] = function.backends()
    function(stats_of("cust_2"))
    assert function.backends() == [first]
    with psycopg.connect(function.database.url) as connection:
        connection.execute("SELECT pg_terminate_backend(%s, 5000)", [first])
    assert function.json(stats_of("cust_1")) == []
    [after] = function.backends()
    assert after != first


def test_trap_09_a_stopped_database_is_503_until_it_is_back(
    postgres_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = postgres.start(postgres_folder / "stopped")
    server.create_database("logstats")
    engine = create_engine(server.settings())
    schema.upgrade(engine)
    insert_day(engine, "cust_1", DAY)
    engine.dispose()
    with closing(Function(server.settings(), monkeypatch)) as function:
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
    server.stop()


@pytest.mark.parametrize(
    "path", ["/customers/cust_1/stats", "/customers", "/docs", "/openapi.json", "/ready"]
)
def test_a_stage_path_is_taken_off(
    database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    query = "from=2024-09-03" if path.endswith("stats") else ""
    with closing(Function(database, monkeypatch, API_ROOT_PATH="/dev")) as function:
        assert function(event(f"/dev{path}", query))["statusCode"] == 200


def test_the_gateways_caller_is_let_in_and_nobody_else(
    database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    request = stats_of("cust_1")
    with closing(Function(database, monkeypatch, API_AUTH="iam")) as function:
        assert function(request)["statusCode"] == 401
        request["requestContext"]["authorizer"] = {"iam": {"accessKey": "AKIA"}}
        assert function(request)["statusCode"] == 200


def test_answers_and_log_lines_name_the_gateways_request(
    function: Function, caplog: pytest.LogCaptureFixture
) -> None:
    with psycopg.connect(function.database.url) as connection:
        connection.execute("DROP TABLE daily_statistics")
    for request, status in (
        (event("/nowhere"), 404),
        (stats_of("cust_1", "from=never"), 422),
        (stats_of("cust_1"), 500),
    ):
        answer = function(request)
        assert (answer["statusCode"], answer["headers"]["x-request-id"]) == (status, "JKJaXmPLvHcESHA=")
        assert (answer["headers"]["content-type"] == "application/problem+json") == (status != 422)
        assert "daily_statistics" not in answer["body"]
    assert "daily_statistics" in caplog.text
    assert [getattr(record, "request_id", None) for record in caplog.records] == ["JKJaXmPLvHcESHA="]


@pytest.mark.skipif(sys.platform != "linux", reason="awslambdaric runs on Linux only")
class TestUnderTheRealRuntime:
    def test_invocations_share_the_event_loop_and_the_connection(self, function: Function) -> None:
        seen = []
        with execution_environment("api.handler.handler", variables(function.database)) as api:
            for _ in range(3):
                result = api.invoke(stats_of("cust_1"))
                assert result.kind == "response", "".join(result.payload["stackTrace"])
                assert (result.payload["statusCode"], result.payload["body"]) == (200, "[]")
                seen.append(function.backends())
            assert api.invoke(stats_of("cust_1", "from=never")).payload["statusCode"] == 422
        assert seen[0] == seen[1] == seen[2] != []

    def test_a_missing_setting_is_an_init_error(self) -> None:
        with execution_environment("api.handler.handler", {"API_AUTH": "none"}) as api:
            result = api.invoke(stats_of("cust_1"))
        assert result.kind == "init_error"
        assert "DATABASE_URL" in result.payload["errorMessage"]
