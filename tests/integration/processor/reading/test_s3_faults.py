"""What S3 may do to an ingest, through the real handler, a real client, real HTTP and a real PostgreSQL."""

import gzip
import io
import json
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import sqlalchemy as sa

from logstats.settings import DatabaseSettings
from processor import handler as module
from tests import oracle, tables
from tests.events import created, sqs_event
from tests.logs import as_bytes, random_lines
from tests.s3_double import S3Double

BUCKET, REJECTS = "request-logs", "rejected-lines"
A, B = random_lines(1, 6_000), random_lines(2, 5_000)
FIRST_ID = "v1"
ATTEMPTS = 8


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """The function's log."""
    stream = io.StringIO()
    monkeypatch.setattr(module.logger.registered_handler, "stream", stream)
    return stream


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were to be made; none is."""
    made: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=made.append))
    monkeypatch.setattr("processor.reading.s3.time", SimpleNamespace(sleep=made.append))
    return made


@pytest.fixture
def s3(database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Double]:
    with S3Double() as double:
        for name, value in {
            **double.variables,
            "DATABASE_URL": database.url,
            "DATABASE_TLS": "disable",
            "DATABASE_IAM_AUTH": "false",
            "REJECTS_BUCKET": REJECTS,
        }.items():
            monkeypatch.setenv(name, value)
        for cached in (module._s3, module._settings, module._ingestor):
            cached.cache_clear()
        yield double
        if module._ingestor.cache_info().currsize:
            module._ingestor().engine.dispose()
        if module._s3.cache_info().currsize:
            module._s3().close()
    for cached in (module._s3, module._settings, module._ingestor):
        cached.cache_clear()


def context(seconds: float = 300) -> SimpleNamespace:
    return SimpleNamespace(
        function_name="processor",
        memory_limit_in_mb=1024,
        invoked_function_arn="arn:aws:lambda:eu-west-1:000000000000:function:processor",
        aws_request_id="11111111-1111-1111-1111-111111111111",
        get_remaining_time_in_millis=lambda: seconds * 1_000,
    )


def deliver(*records: dict[str, Any], seconds: float = 300) -> list[str]:
    """Invoke the function with one message per record, and one that always succeeds; return those that failed."""
    event = sqs_event(*records, {"eventName": "TestEvent"})
    event["Records"][-1]["body"] = json.dumps({"Event": "s3:TestEvent"})
    answer = module.handler(event, context(seconds))  # type: ignore[arg-type]
    return [str(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]


def undeliverable(s3: S3Double) -> str:
    """The document of message 0, which was given up."""
    (document,) = s3.objects[REJECTS, "undeliverable/0.json"]
    return document.block.decode()


def faults(*planned: str, then: str = "", method: str = "GET") -> Callable[[str], str]:
    """The coming requests of a method fail so, and later ones likewise or not at all."""
    left = list(planned)
    return lambda asked: "" if asked != method else left.pop(0) if left else then


def test_throttling_that_passes_is_not_noticed(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, pauses: list[float]
) -> None:
    s3.put(BUCKET, "a.log", as_bytes(A))
    s3.fault = faults(*["slow down"] * (ATTEMPTS - 1))
    assert deliver(created(BUCKET, "a.log", FIRST_ID, "01")) == []
    assert tables.statistics(engine) == oracle.statistics(A)
    assert len(pauses) == ATTEMPTS - 1
    assert sum(pauses) < 1 + 2 + 4 + 8 + 16 + 20 + 20
    assert "ERROR" not in said.getvalue()


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_throttling_that_lasts_fails_the_message_which_comes_again(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, pauses: list[float], method: str
) -> None:
    s3.put(BUCKET, "a.log", as_bytes(A))
    s3.fault = faults(then="slow down", method=method)
    event = created(BUCKET, "a.log", FIRST_ID, "01")
    assert deliver(event) == ["0"]
    assert len(pauses) == ATTEMPTS - 1
    assert f"s3://{BUCKET}/a.log: S3 is busy or out of order" in said.getvalue()
    assert "(to be delivered again)" in said.getvalue()
    assert tables.statistics(engine) == {}
    assert set(tables.leftovers(engine).values()) == {0}
    s3.fault = faults()
    assert deliver(event) == []
    assert tables.statistics(engine) == oracle.statistics(A)


def test_rejected_lines_that_cannot_be_kept_now_fail_the_message_which_comes_again(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, pauses: list[float]
) -> None:
    s3.put(BUCKET, "a.log", as_bytes(A) + b"broken\n")
    s3.fault = faults(then="slow down", method="PUT")
    event = created(BUCKET, "a.log", FIRST_ID, "01")
    assert deliver(event) == ["0"]
    assert len(pauses) == ATTEMPTS - 1
    assert "the rejected lines cannot be kept" in said.getvalue()
    assert tables.statistics(engine) == {}
    s3.fault = faults()
    assert deliver(event) == []
    assert tables.statistics(engine) == oracle.statistics(A)
    assert set(tables.leftovers(engine).values()) == {0}


def test_a_truncated_body_is_read_on_from_where_it_stopped(
    s3: S3Double, engine: sa.Engine, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    s3.put(BUCKET, "a.log", as_bytes(A))
    s3.fault = faults("cut", "cut", "cut")
    assert deliver(created(BUCKET, "a.log", FIRST_ID, "01")) == []
    assert f"s3://{BUCKET}/a.log: the body broke off at byte" in caplog.text
    assert tables.statistics(engine) == oracle.statistics(A)


def test_a_body_that_never_comes_fails_the_message_which_comes_again(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, pauses: list[float]
) -> None:
    """Half of what is left, again and again, is progress; no byte at all, six times, is not."""
    s3.put(BUCKET, "a.log", as_bytes(A))
    s3.fault = faults("cut", then="empty")
    event = created(BUCKET, "a.log", FIRST_ID, "01")
    assert deliver(event) == ["0"]
    assert "the body broke off at byte" in said.getvalue()
    assert "6 times" in said.getvalue()
    assert "(to be delivered again)" in said.getvalue()
    assert tables.statistics(engine) == {}
    assert set(tables.leftovers(engine).values()) == {0}
    s3.fault = faults()
    assert deliver(event) == []
    assert tables.statistics(engine) == oracle.statistics(A)


def test_an_object_replaced_before_it_is_read_counts_in_the_version_of_each_event(
    s3: S3Double, engine: sa.Engine
) -> None:
    first, second = s3.put(BUCKET, "a.log", as_bytes(A)), s3.put(BUCKET, "a.log", as_bytes(B))
    assert deliver(created(BUCKET, "a.log", first.version_id, "01")) == []
    assert tables.statistics(engine) == oracle.statistics(A)
    assert deliver(created(BUCKET, "a.log", second.version_id, "02")) == []
    assert tables.statistics(engine) == oracle.statistics(B)


def test_an_object_replaced_half_way_is_read_to_the_end_in_its_version(
    s3: S3Double, engine: sa.Engine, pauses: list[float]
) -> None:
    s3.put(BUCKET, "a.log", as_bytes(A))
    broken = faults("cut")

    def replace_then_cut(method: str) -> str:
        if fault := broken(method):
            s3.put(BUCKET, "a.log", as_bytes(B))
        return fault

    s3.fault = replace_then_cut
    assert deliver(created(BUCKET, "a.log", FIRST_ID, "01")) == []
    assert tables.statistics(engine) == oracle.statistics(A)
    assert deliver(created(BUCKET, "a.log", "v2", "02")) == []
    assert tables.statistics(engine) == oracle.statistics(B)


def test_an_object_replaced_half_way_in_an_unversioned_bucket_is_never_mixed(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, pauses: list[float]
) -> None:
    """Events of such a bucket name no version: If-Match tells that the rest would be another object's."""
    s3.put(BUCKET, "a.log", as_bytes(A))
    broken = faults("cut")

    def replace_then_cut(method: str) -> str:
        if fault := broken(method):
            s3.put(BUCKET, "a.log", as_bytes(B))
        return fault

    s3.fault = replace_then_cut
    first, second = (created(BUCKET, "a.log", "", sequencer) for sequencer in ("01", "02"))
    for event in (first, second):
        del event["s3"]["object"]["versionId"]
    s3.is_versioned = False
    assert deliver(first) == ["0"]
    assert "it was replaced while it was read" in said.getvalue()
    assert "(to be delivered again)" in said.getvalue()
    assert tables.statistics(engine) == {}
    assert deliver(first, second) == []
    assert tables.statistics(engine) == oracle.statistics(B)
    assert tables.ledger(engine, "a.log").sequencer == "02"


def test_an_object_deleted_before_it_is_read_fails_its_message(
    s3: S3Double, engine: sa.Engine, said: io.StringIO
) -> None:
    s3.put(BUCKET, "a.log", as_bytes(A))
    s3.objects.clear()
    assert deliver(created(BUCKET, "a.log", FIRST_ID, "01")) == []
    assert f"s3://{BUCKET}/a.log: this version does not exist; it was deleted" in said.getvalue()
    assert "this version does not exist" in undeliverable(s3)
    assert "trying again will not help" in said.getvalue()
    assert tables.statistics(engine) == {}


def test_an_object_deleted_half_way_fails_its_message_and_counts_nothing(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, pauses: list[float]
) -> None:
    s3.put(BUCKET, "a.log", as_bytes(A))
    broken = faults("cut", "gone")

    def cut_then_delete(method: str) -> str:
        if (fault := broken(method)) == "gone":
            s3.objects.clear()
        return fault

    s3.fault = cut_then_delete
    assert deliver(created(BUCKET, "a.log", FIRST_ID, "01")) == []
    assert "this version does not exist" in said.getvalue()
    assert "this version does not exist" in undeliverable(s3)
    assert tables.statistics(engine) == {}
    assert set(tables.leftovers(engine).values()) == {0}


def damaged(kind: str) -> bytes:
    data = bytearray(gzip.compress(as_bytes(A)))
    if kind == "corrupt":
        data[len(data) // 2] ^= 0xFF
    elif kind == "checksum":
        data[-8] ^= 0xFF
    elif kind == "truncated":
        del data[len(data) // 2 :]
    elif kind == "without its last byte":
        del data[-1]
    elif kind == "second member":
        data += gzip.compress(as_bytes(B))[:-20]
    elif kind == "followed by something else":
        data += b"something else"
    else:
        return as_bytes(A)
    return bytes(data)


@pytest.mark.parametrize(
    "kind",
    [
        "corrupt",
        "checksum",
        "truncated",
        "without its last byte",
        "second member",
        "followed by something else",
        "not compressed",
    ],
)
def test_damaged_gzip_fails_its_message_and_the_repaired_object_counts(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, kind: str
) -> None:
    s3.put(BUCKET, "a.log.gz", damaged(kind))
    assert deliver(created(BUCKET, "a.log.gz", FIRST_ID, "01")) == []
    assert f"s3://{BUCKET}/a.log.gz: not valid gzip" in said.getvalue()
    assert f"s3://{BUCKET}/a.log.gz: not valid gzip" in undeliverable(s3)
    assert "trying again will not help; fix the cause" in said.getvalue()
    assert tables.statistics(engine) == {}
    assert set(tables.leftovers(engine).values()) == {0}
    repaired = s3.put(BUCKET, "a.log.gz", gzip.compress(as_bytes(A)))
    assert deliver(created(BUCKET, "a.log.gz", repaired.version_id, "02")) == []
    assert tables.statistics(engine) == oracle.statistics(A)


def test_a_record_that_fails_does_not_hold_back_those_behind_it_in_its_message(
    s3: S3Double, engine: sa.Engine, said: io.StringIO
) -> None:
    s3.put(BUCKET, "bad.log.gz", b"not gzip")
    s3.put(BUCKET, "a.log", as_bytes(A))
    message = sqs_event(created(BUCKET, "bad.log.gz", FIRST_ID, "01"))
    body = {
        "Records": [
            created(BUCKET, "bad.log.gz", FIRST_ID, "01"),
            created(BUCKET, "gone.log", FIRST_ID, "02"),
            created(BUCKET, "a.log", FIRST_ID, "03"),
        ]
    }
    message["Records"][0]["body"] = json.dumps(body)
    assert module.handler(message, context()) == {"batchItemFailures": []}  # type: ignore[arg-type]
    assert tables.statistics(engine) == oracle.statistics(A)
    assert "gone.log: this version does not exist" in said.getvalue()
    assert [failure["object"] for failure in json.loads(undeliverable(s3))["failures"]] == [
        f"s3://{BUCKET}/bad.log.gz",
        f"s3://{BUCKET}/gone.log",
    ]


def test_an_undeliverable_message_that_cannot_be_kept_comes_again(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, pauses: list[float]
) -> None:
    s3.put(BUCKET, "a.log.gz", b"not gzip")
    event = created(BUCKET, "a.log.gz", FIRST_ID, "01")
    s3.fault = faults(then="slow down", method="PUT")
    assert deliver(event) == ["0"]
    assert said.getvalue().count("(to be delivered again)") == 1
    s3.fault = faults()
    assert deliver(event) == []
    assert "not valid gzip" in undeliverable(s3)


def test_without_a_sequencer_only_the_current_version_counts(s3: S3Double, engine: sa.Engine) -> None:
    """S3 sends one; whoever sends messages by hand may not."""
    first, second = s3.put(BUCKET, "a.log", as_bytes(A)), s3.put(BUCKET, "a.log", as_bytes(B))
    events = [created(BUCKET, "a.log", version.version_id, "") for version in (first, second)]
    for event in events:
        del event["s3"]["object"]["sequencer"]
    assert deliver(events[1], events[0]) == []
    assert tables.statistics(engine) == oracle.statistics(B)
