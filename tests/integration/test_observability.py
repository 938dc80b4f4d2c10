"""The functions write log lines and metrics under the real `awslambdaric`, and never any data of customers."""

import base64
import datetime as dt
import gzip
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from logstats import metrics, pseudonyms
from logstats.pseudonyms import pseudonym
from logstats.settings import DatabaseSettings
from tests import tables
from tests.cloudwatch import extracted
from tests.days import insert_day
from tests.events import api_event, created, sqs_event
from tests.execution import execution_environment
from tests.logs import as_bytes, random_lines
from tests.s3_double import S3Double

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="awslambdaric runs on Linux only")

BUCKET, REJECTS = "request-logs", "rejected-lines"
PROCESSOR, API = "processor.handler.handler", "api.handler.handler"
CUSTOMER = "customer-of-the-test"
REJECTED = "rejected-text-of-the-test"
TOKEN = "token-of-the-test"
KEY = "key-of-the-deployment"
SECRETS = (CUSTOMER, REJECTED, TOKEN, base64.b64encode(f"{REJECTED} {CUSTOMER}".encode()).decode())
LINES = [line.replace("cust_1 ", f"{CUSTOMER} ") for line in random_lines(1, 400)]
BROKEN = f"{REJECTED} {CUSTOMER}"


class Log:
    """What a function has written."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def text(self) -> str:
        return self.path.read_text("utf-8")

    def lines(self, message: str = "") -> list[dict[str, Any]]:
        """The lines with this in their message; all lines are JSON."""
        documents = [json.loads(line) for line in self.text.splitlines()]
        return [each for each in documents if message in str(each.get("message", "")) and "_aws" not in each]

    def line(self, message: str) -> dict[str, Any]:
        (found,) = self.lines(message)
        return found

    def metrics(self) -> dict[tuple[str, ...], list[float]]:
        """Values by name and values of the dimensions."""
        found: dict[tuple[str, ...], list[float]] = {}
        for namespace, datum in extracted(self.text):
            assert namespace == metrics.namespace("test")
            values = {dimension["Name"]: dimension["Value"] for dimension in datum["Dimensions"]}
            (metric,) = (
                each
                for each in metrics.METRICS
                if (each.name, each.service) == (datum["MetricName"], values[metrics.SERVICE])
            )
            assert (datum["Unit"], set(values)) == (metric.unit, set(metric.dimensions)), metric
            found.setdefault((metric.name, *(values[name] for name in metric.dimensions)), []).extend(
                datum["Values"]
            )
        return found

    def shows_nothing(self) -> None:
        for secret in SECRETS:
            assert secret not in self.text


@pytest.fixture
def log(tmp_path: Path) -> Log:
    (tmp_path / "log").touch()
    return Log(tmp_path / "log")


@pytest.fixture
def s3() -> Iterator[S3Double]:
    with S3Double() as double:
        yield double


@pytest.fixture
def variables(s3: S3Double, database: DatabaseSettings) -> dict[str, str]:
    """Those at which most is written."""
    return {
        "AWS_ENDPOINT_URL": s3.endpoint,
        "AWS_SESSION_TOKEN": TOKEN,
        "AWS_LAMBDA_LOG_LEVEL": "DEBUG",
        "DATABASE_URL": database.url,
        "DATABASE_TLS": "disable",
        "DATABASE_IAM_AUTH": "false",
        "REJECTS_BUCKET": REJECTS,
        "API_AUTH": "none",
        "POWERTOOLS_LOG_LEVEL": "DEBUG",
        "POWERTOOLS_LOGGER_LOG_EVENT": "true",  # must not help either
        "POWERTOOLS_METRICS_NAMESPACE": metrics.namespace("test"),
        "PSEUDONYM_KEY": KEY,
    }


def delivery(
    s3: S3Double, key: str, data: bytes, *, ago: float = 0, sent_ago: float = 0, count: int = 1
) -> dict[str, Any]:
    """An upload's event, so many seconds old, in a message sent so many seconds ago."""
    record = created(BUCKET, key, s3.put(BUCKET, key, data).version_id, "01")
    record["eventTime"] = (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=ago)).strftime(
        "%Y-%m-%dT%H:%M:%S.%fZ"
    )
    event = sqs_event(record)
    event["Records"][0]["attributes"] |= {
        "SentTimestamp": str(round((time.time() - sent_ago) * 1_000)),
        "ApproximateReceiveCount": str(count),
    }
    return event


def request(path: str, route: str, query: str = "") -> dict[str, Any]:
    event = api_event(path, query, routeKey=route, cookies=[f"session={TOKEN}"])
    event["headers"]["authorization"] = f"Bearer {TOKEN}"
    return event


def stats(customer: str = CUSTOMER, query: str = "from=2024-09-03") -> dict[str, Any]:
    return request(f"/customers/{customer}/stats", "GET /customers/{proxy+}", query)


def test_an_ingest_is_logged_and_measured(
    s3: S3Double, variables: dict[str, str], log: Log, engine: sa.Engine
) -> None:
    """The third delivery repeats the first one, and counts no lines again."""
    root = "1-5759e988-bd862e3fe1be46a994272793"
    data = as_bytes([*LINES, BROKEN])
    with execution_environment(PROCESSOR, variables, log.path) as processor:
        event = delivery(s3, "in/a.log", data, ago=40, sent_ago=30)
        traced = f"Root={root};Parent=53995c3f42cd8ad8;Sampled=1"
        assert processor.invoke(event, trace=traced).payload == {"batchItemFailures": []}
        again = delivery(s3, "in/b.log", data, count=2)
        for each in (again, event):
            assert processor.invoke(each).payload == {"batchItemFailures": []}
    first, second, third = log.lines("Log object processed")
    assert first["xray_trace_id"] == root
    assert third["ingest"]["outcome"] == "unchanged"
    assert (first["level"], first["service"], first["message_id"]) == ("INFO", "processor", "0")
    assert first["object"] == {"bucket": BUCKET, "key": "in/a.log", "version": "v1"}
    assert first["function_request_id"]
    assert first["timestamp"].endswith("+00:00")  # as in RFC 3339: Lambda's filter by level needs that
    assert first["timestamp"][10] == "T"
    assert (first["receive_count"], second["receive_count"]) == (1, 2)
    assert (first["cold_start"], second["cold_start"]) == (True, False)
    outcome = {
        "outcome": "ingested",
        "accepted": 400,
        "rejected": 1,
        "rejected_by_reason": {"layout": 1},
    }
    assert first["ingest"].items() >= {"source": f"s3://{BUCKET}/in/a.log", **outcome}.items()
    assert first["function_request_id"] != second["function_request_id"]
    found = log.metrics()
    assert found["AcceptedLines", "processor"] == [400, 400]
    assert found["RejectedLines", "processor"] == [1, 1]
    assert found["IngestedBytes", "processor"] == [len(data), len(data)]
    assert found["LogObjects", "processor", "ingested"] == [1, 1]
    assert found["LogObjects", "processor", "unchanged"] == [1]
    assert len(found["Freshness", "processor"]) == 2
    assert found["ColdStarts", "processor"] == found["Redeliveries", "processor"] == [1]
    fresh, waited = found["Freshness", "processor"][0], found["QueueAge", "processor"][0]
    assert 30 <= waited < fresh < 40 + 60
    seconds = first["ingest"]["seconds"]
    assert 0 < found["ParseTime", "processor"][0] + found["CommitTime", "processor"][0] < seconds * 1_000
    assert found["Throughput", "processor"][0] == pytest.approx(len(data) / seconds)
    log.shows_nothing()


@pytest.mark.parametrize("table", ["contributions", "daily_statistics"])  # by COPY, and by INSERT
def test_a_batch_that_the_database_refuses_shows_no_data(
    table: str, s3: S3Double, variables: dict[str, str], log: Log, engine: sa.Engine
) -> None:
    with engine.begin() as connection:
        connection.execute(sa.text(f"ALTER TABLE {table} ADD CONSTRAINT no_more CHECK (false) NOT VALID"))
    with execution_environment(PROCESSOR, variables, log.path) as processor:
        result = processor.invoke(delivery(s3, "a.log", as_bytes([*LINES, BROKEN])))
    assert result.kind == "error"
    failure = log.line("to be delivered again")
    assert failure["level"] == "ERROR"
    assert failure["object"]["key"] == "a.log"
    assert failure["message_id"] == "0"
    assert "23514" in failure["message"]
    assert 'violates check constraint "no_more"' in failure["message"]
    assert "CheckViolation" in failure["exception"]
    assert "processor/ingest.py" in failure["exception"], "where it happened"
    assert log.metrics()["LogObjects", "processor", "failed"] == [1]
    assert tables.statistics(engine) == {}
    log.shows_nothing()
    assert all(secret not in json.dumps(result.payload) for secret in SECRETS)


def test_a_batch_of_all_kinds_of_failures_names_each(
    s3: S3Double, variables: dict[str, str], log: Log, engine: sa.Engine
) -> None:
    event = delivery(s3, "in.log.gz", gzip.compress(BROKEN.encode())[:-5])
    (gone,) = sqs_event(created(BUCKET, "gone.log", "v1", "01"))["Records"]
    event["Records"].append({**gone, "messageId": "7"})
    event["Records"].append({**event["Records"][0], "messageId": "9", "body": BROKEN})
    event["Records"].append({**event["Records"][0], "messageId": "8", "body": json.dumps({BROKEN: 1})})
    with execution_environment(PROCESSOR, variables, log.path) as processor:
        result = processor.invoke(event)
    assert (result.kind, result.payload) == ("response", {"batchItemFailures": []})
    reasons = [
        failure["reason"]
        for message in "0798"
        for failure in json.loads(s3.objects[REJECTS, f"undeliverable/{message}.json"][0].block)["failures"]
    ]
    failures = [line for line in log.lines() if line.get("level") == "ERROR" and "message_id" in line]
    assert [failure["error"] for failure in failures] == [
        "SourceError", "MissingError", "UnknownMessageError", "UnknownMessageError",
    ]  # fmt: skip
    assert "object" not in failures[2], "nobody knows which object it was about"
    assert failures[1]["object"]["key"] == "gone.log"
    assert "trying again will not help" in failures[1]["message"]
    assert log.metrics()["LogObjects", "processor", "failed"] == [1] * 4
    log.shows_nothing()
    assert all(secret not in json.dumps(reasons) for secret in SECRETS)


def test_a_failed_query_is_logged_by_route_and_pseudonym(
    variables: dict[str, str], log: Log, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PSEUDONYM_KEY", KEY)
    pseudonyms._key.cache_clear()
    insert_day(engine, CUSTOMER, dt.date(2024, 9, 3))
    with engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE daily_statistics RENAME TO hidden"))
        connection.execute(
            sa.text("CREATE VIEW daily_statistics AS SELECT * FROM hidden WHERE customer_id::int > 0")
        )
    with execution_environment(API, variables, log.path) as api:
        answer = api.invoke(stats()).payload
    assert answer["statusCode"] == 500
    failure = log.line("The request failed")
    assert failure["level"] == "ERROR"
    assert failure["service"] == "api"
    assert failure["request_id"] == "JKJaXmPLvHcESHA=" == answer["headers"]["x-request-id"]
    assert failure["customer"] == pseudonym(CUSTOMER)
    pseudonyms._key.cache_clear()
    assert "GET /customers/{customer_id" in failure["message"]
    assert "invalid input syntax for type integer (SQLSTATE 22P02)" in failure["message"]
    assert "api/database/reader.py" in failure["exception"]
    assert log.metrics()["ServerErrors", "api", "stats"] == [1]
    log.shows_nothing()


def test_a_database_that_is_away_is_a_warning(variables: dict[str, str], log: Log) -> None:
    variables["DATABASE_URL"] = "postgresql://reader@127.0.0.1:9/logstats"
    with execution_environment(API, variables, log.path) as api:
        assert api.invoke(stats()).payload["statusCode"] == 503
    warning = log.line("The database is unavailable")
    assert warning["level"] == "WARNING"
    assert warning["request_id"] == "JKJaXmPLvHcESHA="
    assert "ConnectionRefusedError" in warning["message"]
    assert log.metrics()["DatabaseAway", "api"] == log.metrics()["ServerErrors", "api", "stats"] == [1]
    log.shows_nothing()


def test_requests_are_measured_by_route_and_never_logged_with_their_path(
    variables: dict[str, str], log: Log, engine: sa.Engine
) -> None:
    insert_day(engine, CUSTOMER, dt.date(2024, 9, 3))
    with execution_environment(API, variables, log.path) as api:
        statuses = [
            api.invoke(each).payload["statusCode"]
            for each in (
                stats(),
                stats(query="from=never"),
                request("/customers", "GET /customers", f"prefix={CUSTOMER}"),
                request(f"/{CUSTOMER}", "$default"),
                request("/static/1/none.js", "GET /static/{proxy+}"),
            )
        ]
    assert statuses == [200, 422, 200, 404, 404]
    found = log.metrics()
    assert {key: len(values) for key, values in found.items()} == {
        ("Latency", "api", "stats"): 2,
        ("Latency", "api", "customers"): 1,
        ("Latency", "api", "other"): 1,
        ("Latency", "api", "page"): 1,
        ("ClientErrors", "api", "stats"): 1,
        ("ClientErrors", "api", "other"): 1,
        ("ClientErrors", "api", "page"): 1,
        ("ColdStarts", "api"): 1,
    }
    assert all(0 < value < 30_000 for key, values in found.items() if key[0] == "Latency" for value in values)
    log.shows_nothing()
