"""Faults of S3 in an ingest, through the real handler, a real client, real HTTP and a real PostgreSQL."""

import gzip
import io
import json
import threading
import time
from collections.abc import Callable
from functools import partial
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from processor import handler
from processor.reading.s3 import S3Object
from tests import events, tables
from tests.integration.processor.conftest import REJECTS, deliver
from tests.logs import as_bytes, random_lines
from tests.s3_double import S3Double

BUCKET = "request-logs"
A, B = random_lines(1, 6_000), random_lines(2, 5_000)
ATTEMPTS = 8

pytestmark = pytest.mark.usefixtures("fresh_handler")


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were to be made; none is."""
    made: list[float] = []
    monkeypatch.setattr("botocore.endpoint.time", SimpleNamespace(sleep=made.append))
    monkeypatch.setattr("processor.reading.s3.time", SimpleNamespace(sleep=made.append))
    return made


record = partial(events.created, BUCKET)


def created(key: str, version: str = "v1", sequencer: str = "01") -> dict[str, object]:
    return {"Records": [record(key, version, sequencer)]}


def undeliverable(s3: S3Double) -> str:
    """The document of message 0, which was given up."""
    (document,) = s3.objects[REJECTS, "undeliverable/0.json"]
    return document.block.decode()


def faults(
    *planned: str, then: str = "", method: str = "GET", act: Callable[[], object] = lambda: None
) -> Callable[[str], str]:
    """The coming requests of a method fail so, and later ones likewise or not at all; `act` before the last planned."""
    left = list(planned)

    def fault(asked: str) -> str:
        if asked != method or not left:
            return then if asked == method else ""
        if len(left) == 1:
            act()
        return left.pop(0)

    return fault


def test_throttling_that_passes_is_not_noticed(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, pauses: list[float]
) -> None:
    s3.put(BUCKET, "a.log", as_bytes(A))
    s3.fault = faults(*["slow down"] * (ATTEMPTS - 1))
    assert deliver(created("a.log")) == []
    tables.check(engine, A)
    assert len(pauses) == ATTEMPTS - 1
    assert sum(pauses) < 1 + 2 + 4 + 8 + 16 + 20 + 20
    assert "ERROR" not in said.getvalue()


def assert_fails_and_comes_again(s3: S3Double, engine: sa.Engine, said: io.StringIO, problem: str) -> None:
    """The message fails, with nothing left of it; when the fault has passed, it counts."""
    assert deliver(created("a.log")) == ["0"]
    assert problem in said.getvalue()
    assert "(to be delivered again)" in said.getvalue()
    tables.check(engine)
    s3.fault = faults()
    assert deliver(created("a.log")) == []
    tables.check(engine, A)


@pytest.mark.parametrize("method", ["HEAD", "GET", "PUT"])
def test_throttling_that_lasts_fails_the_message_which_comes_again(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, pauses: list[float], method: str
) -> None:
    """Also where only the rejected lines cannot be kept."""
    s3.put(BUCKET, "a.log", as_bytes(A) + b"broken\n")
    s3.fault = faults(then="slow down", method=method)
    busy = f"s3://{BUCKET}/a.log: S3 is busy or out of order"
    problem = "the rejected lines cannot be kept" if method == "PUT" else busy
    assert_fails_and_comes_again(s3, engine, said, problem)
    assert len(pauses) == ATTEMPTS - 1


def test_a_body_that_never_comes_fails_the_message_which_comes_again(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, pauses: list[float]
) -> None:
    """Half of what is left, again and again, is progress; no byte at all, six times, is not."""
    s3.put(BUCKET, "a.log", as_bytes(A))
    s3.fault = faults("cut", then="empty")
    assert_fails_and_comes_again(s3, engine, said, "the body broke off at byte")
    assert "6 times" in said.getvalue()


def test_a_body_may_break_off_any_number_of_times_while_there_is_progress(
    s3: S3Double, engine: sa.Engine, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """It is read on from where it stopped."""
    s3.put(BUCKET, "a.log", as_bytes(A))
    s3.fault = faults(*["cut"] * 12)
    assert deliver(created("a.log")) == []
    assert caplog.text.count(f"s3://{BUCKET}/a.log: the body broke off at byte") == len(pauses) == 12
    tables.check(engine, A)


@pytest.mark.parametrize(("method", "fault"), [("HEAD", ""), ("GET", "cut")])
def test_an_object_replaced_meanwhile_is_read_to_the_end_in_the_version_of_its_event(
    s3: S3Double, engine: sa.Engine, pauses: list[float], method: str, fault: str
) -> None:
    s3.put(BUCKET, "a.log", as_bytes(A))
    s3.fault = faults(fault, method=method, act=lambda: s3.put(BUCKET, "a.log", as_bytes(B)))
    assert deliver(created("a.log")) == []
    tables.check(engine, A)
    assert deliver(created("a.log", "v2", "02")) == []
    tables.check(engine, B)


def test_an_object_replaced_half_way_in_an_unversioned_bucket_is_never_mixed(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, pauses: list[float]
) -> None:
    """Events of such a bucket name no version: If-Match tells that the rest would be another object's."""
    s3.put(BUCKET, "a.log", as_bytes(A))
    s3.fault = faults("cut", act=lambda: s3.put(BUCKET, "a.log", as_bytes(B)))
    first, second = (record("a.log", "", sequencer) for sequencer in ("01", "02"))
    for event in (first, second):
        del event["s3"]["object"]["versionId"]
    s3.is_versioned = False
    assert deliver({"Records": [first]}) == ["0"]
    assert "it was replaced while it was read" in said.getvalue()
    assert "(to be delivered again)" in said.getvalue()
    tables.check(engine)
    assert deliver({"Records": [first]}, {"Records": [second]}) == []
    tables.check(engine, B)
    assert tables.ledger(engine, "a.log").sequencer == "02"


@pytest.mark.usefixtures("pauses")
@pytest.mark.parametrize(("method", "planned"), [("HEAD", [""]), ("GET", ["cut", ""])])
def test_an_object_deleted_meanwhile_is_given_up_and_counts_nothing(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, method: str, planned: list[str]
) -> None:
    s3.put(BUCKET, "a.log", as_bytes(A))
    s3.fault = faults(*planned, method=method, act=s3.objects.clear)
    assert deliver(created("a.log")) == []
    assert "this version does not exist" in undeliverable(s3)
    assert f"s3://{BUCKET}/a.log: this version does not exist; it was deleted" in said.getvalue()
    assert "trying again will not help" in said.getvalue()
    tables.check(engine)


def test_a_small_object_is_read_with_its_head(s3: S3Double, engine: sa.Engine) -> None:
    asked: list[str] = []

    def note(method: str) -> str:
        asked.append(method)
        return ""

    s3.fault = note
    s3.put(BUCKET, "a.log", as_bytes(A[:600]))
    assert deliver(created("a.log")) == []
    assert asked == ["HEAD", "GET"]
    tables.check(engine, A[:600])


def test_damaged_gzip_is_given_up_and_the_repaired_object_counts(
    s3: S3Double, engine: sa.Engine, said: io.StringIO
) -> None:
    s3.put(BUCKET, "a.log.gz", gzip.compress(as_bytes(A)) + gzip.compress(as_bytes(B))[:-20])
    assert deliver(created("a.log.gz")) == []
    assert f"s3://{BUCKET}/a.log.gz: not valid gzip" in said.getvalue()
    assert f"s3://{BUCKET}/a.log.gz: not valid gzip" in undeliverable(s3)
    assert "trying again will not help; fix the cause" in said.getvalue()
    tables.check(engine)
    repaired = s3.put(BUCKET, "a.log.gz", gzip.compress(as_bytes(A)))
    assert deliver(created("a.log.gz", repaired.version_id, "02")) == []
    tables.check(engine, A)


def test_a_record_that_fails_does_not_hold_back_those_behind_it_in_its_message(
    s3: S3Double, engine: sa.Engine, said: io.StringIO
) -> None:
    s3.put(BUCKET, "bad.log.gz", gzip.compress(as_bytes(A))[:-3])
    s3.put(BUCKET, "a.log", as_bytes(A))
    keys = ("bad.log.gz", "gone.log", "a.log")
    assert deliver({"Records": [record(key, "v1", "01") for key in keys]}) == []
    tables.check(engine, A)
    assert "gone.log: this version does not exist" in said.getvalue()
    assert [failure["object"] for failure in json.loads(undeliverable(s3))["failures"]] == [
        f"s3://{BUCKET}/bad.log.gz",
        f"s3://{BUCKET}/gone.log",
    ]


def test_an_undeliverable_message_that_cannot_be_kept_comes_again(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, pauses: list[float]
) -> None:
    s3.put(BUCKET, "a.log.gz", gzip.compress(as_bytes(A))[:-3])
    s3.fault = faults(then="slow down", method="PUT")
    assert deliver(created("a.log.gz")) == ["0"]
    assert said.getvalue().count("(to be delivered again)") == 1
    s3.fault = faults()
    assert deliver(created("a.log.gz")) == []
    assert "not valid gzip" in undeliverable(s3)


@pytest.mark.parametrize("name", ["ObjectRemoved:DeleteMarkerCreated", "ObjectCreated:Put"])
def test_a_question_for_the_current_version_that_is_not_answered_fails_the_message_in_time(
    s3: S3Double, engine: sa.Engine, said: io.StringIO, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """It is asked about a deletion after a backfill, and about an upload whose event has no sequencer."""
    monkeypatch.setenv("WITHDRAW_REMOVED_OBJECTS", "true")
    s3.put(BUCKET, "a.log", as_bytes(A))
    handler._ingestor().ingest_current(partial(S3Object.head, handler._s3(), BUCKET, "a.log"))
    event = record("a.log", "v2", "02") | {"eventName": name}
    if name.startswith("ObjectCreated"):
        del event["s3"]["object"]["sequencer"]
    s3.fault = faults(then="stall", method="HEAD")
    started = time.monotonic()
    assert deliver({"Records": [event]}, seconds=6) == ["0"]
    assert time.monotonic() < started + 6
    assert "the function's time is up" in said.getvalue()
    tables.check(engine, A)
    s3.fault = faults()
    s3.released.set()
    for asking in [thread for thread in threading.enumerate() if thread.name == "bounded"]:
        asking.join(30)


def test_rejected_lines_that_cannot_be_deleted_now_are_left_at_once(
    s3: S3Double, engine: sa.Engine, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    """A later ingest deletes them, so this one does not try again and again."""
    s3.put(BUCKET, "a.log", as_bytes(A) + b"broken\n")
    assert deliver(created("a.log")) == []
    s3.put(BUCKET, "a.log", as_bytes(B))
    s3.fault = faults(then="slow down", method="DELETE")
    assert deliver(created("a.log", "v2", "02")) == []
    assert "cannot be deleted" in caplog.text
    assert pauses == []
    assert tables.leftovers(engine)["attempts"] == 1
    s3.fault = faults()
    s3.put(BUCKET, "b.log", as_bytes(A))
    assert deliver(created("b.log")) == []
    assert [key for bucket, key in s3.objects if bucket == REJECTS] == []
    tables.check(engine, [*A, *B])


def test_without_a_sequencer_only_the_current_version_counts(s3: S3Double, engine: sa.Engine) -> None:
    """S3 sends one; whoever sends messages by hand may not."""
    first, second = s3.put(BUCKET, "a.log", as_bytes(A)), s3.put(BUCKET, "a.log", as_bytes(B))
    records = [record("a.log", version.version_id, "") for version in (first, second)]
    for each in records:
        del each["s3"]["object"]["sequencer"]
    assert deliver(*({"Records": [each]} for each in reversed(records))) == []
    tables.check(engine, B)
