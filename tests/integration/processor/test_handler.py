"""The Lambda handler on S3 events, with moto's S3 and a real PostgreSQL."""

import gzip
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock, patch

import boto3
import pytest
import sqlalchemy as sa
from moto import mock_aws

from processor import handler as module
from processor.dataflow import staging
from processor.dataflow.report import PartReport
from processor.ledger.delivery import Withdrawal
from processor.reading.objects import SourceError
from processor.reading.s3 import S3Object
from processor.reject_stores import LocalRejectStore
from processor.requests import EventRequest
from processor.retention.expiry import expire
from tests import events, oracle, sample_logs, tables
from tests.integration.processor.conftest import REJECTS, deliver
from tests.logs import as_bytes, random_lines

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "request-logs"
A, B = random_lines(1, 600), random_lines(2, 500)


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, fresh_handler: None) -> Iterator["S3Client"]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    with mock_aws():
        client: S3Client = boto3.client("s3")
        for bucket in (BUCKET, REJECTS):
            client.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
        client.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield client


def put(s3: "S3Client", key: str, data: bytes) -> str:
    return s3.put_object(Bucket=BUCKET, Key=key, Body=data)["VersionId"]


created = partial(events.created, BUCKET)


def records(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(entries)}


def upload(s3: "S3Client", key: str, data: list[str] | bytes, sequencer: str) -> dict[str, Any]:
    """Put an object, and return the body of its message."""
    version = put(s3, key, data if isinstance(data, bytes) else as_bytes(data))
    return records(created(key, version, sequencer))


def test_trap_10_test_events_encoded_keys_and_several_records(s3: "S3Client", engine: sa.Engine) -> None:
    key = "team a/ü+%20 & more.log"
    version, other = put(s3, key, as_bytes(A)), put(s3, "b.log", as_bytes(B))
    test_event = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Bucket": BUCKET}
    assert deliver(test_event, records(created(key, version, "01"), created("b.log", other, "02"))) == []
    tables.check(engine, A + B)
    assert tables.ledger(engine, key).outcome == "ingested"


ALB = "AWSLogs/111122223333/elasticloadbalancing/eu-central-1/2024/09/03/111122223333_elasticloadbalancing_eu-central-1"
KEYS = {
    "apache-combined": ("web-1/access.log-20240904.gz", True),
    "aws-alb": (f"{ALB}_app.api-prod.0123456789abcdef_20240903T0005Z_192.0.2.10_2soosksi.log.gz", True),
    "aws-apigateway-clf": ("exportedlogs/00000000-0000-0000-0000-000000000001/api-prod/000000.gz", True),
    "aws-apigateway-json": (
        "2024/09/03/00/amazon-apigateway-prod-1-2024-09-03-00-00-04-00000000-0000-0000-0000-000000000001",
        False,
    ),
    "aws-cloudfront": ("cdn/E2EXAMPLE1A2B3.2024-09-03-10.a1b2c3d4.gz", True),
    "aws-s3-access": ("s3-access/2024-09-03-10-21-33-A1B2C3D4E5F60718", False),
    "caddy-json": ("access-2024-09-04T00-00-00.000.log.gz", True),
    "envoy-istio-json": ("istio-ingressgateway-6d4cf56db6-x2v9p.log", False),
    "haproxy": ("lb1/haproxy.log.1", False),
    "iis-w3c": ("W3SVC1/u_ex240903.log", False),
    "kong-json": ("kong/file.log", False),
    "nginx-timed": ("web-1/access.log.2.gz", True),
}
"""By which key each service's log comes to S3, and whether it is compressed."""


@pytest.mark.parametrize("sample", sample_logs.PRESETS)
def test_the_log_of_each_service_is_read_as_it_comes(
    s3: "S3Client", engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, sample: str
) -> None:
    """By its content alone, and again as the preset that a rule names."""
    options, preset = sample_logs.OPTIONS.get(sample, {}), sample_logs.PRESETS[sample]
    rules = [options, {"prefix": "ruled/", "format": preset} | options]
    monkeypatch.setenv("LOG_FORMATS", json.dumps(rules if options else rules[1:]))
    (key, compressed), data = KEYS[sample], sample_logs.first_requests(sample)
    stored = gzip.compress(data) if compressed else data
    for times, name in enumerate((key, f"ruled/{key}"), 1):
        assert deliver(upload(s3, name, stored, "01")) == []
        row, found = tables.ledger(engine, name), tables.statistics(engine)
        assert (row.outcome, row.format, row.accepted, row.rejected) == ("ingested", preset, 12, 0)
        known_of = sample_logs.truth(sample)
        assert {f"{customer} {day}" for customer, day in found} == known_of.keys()
        for (customer, day), statistics in found.items():
            known = known_of[f"{customer} {day}"]
            durations = [] if sample in sample_logs.UNTIMED else known["durations_us"]
            counts = [
                statistics[name]
                for name in ("total_requests", "client_errors", "server_errors", "timed_requests")
            ]
            assert counts == [
                times * count for count in (known["total"], known["4xx"], known["5xx"], len(durations))
            ]
            longest = pytest.approx(max(durations) / 1e6, abs=0.001) if durations else None
            mean = pytest.approx(sum(durations) / len(durations) / 1e6, abs=0.001) if durations else None
            assert (statistics["duration_max"], statistics["duration_mean"]) == (longest, mean)


def test_what_is_not_recognised_is_dealt_with_and_what_it_holds_is_not_logged(
    s3: "S3Client", engine: sa.Engine, said: io.StringIO
) -> None:
    log, odd = upload(s3, "a", A, "01"), upload(s3, "a", b"secret text\n", "02")
    assert deliver(log, odd, odd) == []
    assert tables.ledger(engine, "a").outcome == "unrecognised"
    assert tables.statistics(engine) == {}
    assert said.getvalue().count('"outcome":"unrecognised"') == 2
    assert "secret" not in said.getvalue()
    assert undeliverable(s3) == {}
    assert deliver(upload(s3, "a", gzip.compress(as_bytes(B)), "03")) == []
    tables.check(engine, B)


def undeliverable(s3: "S3Client") -> dict[str, Any]:
    """The document of each message that was given up, by its id."""
    found = s3.list_objects_v2(Bucket=REJECTS, Prefix="undeliverable/").get("Contents", [])
    return {
        Path(each["Key"]).stem: json.load(s3.get_object(Bucket=REJECTS, Key=each["Key"])["Body"])
        for each in found
    }


def test_trap_11_only_the_failed_messages_are_delivered_again(s3: "S3Client", engine: sa.Engine) -> None:
    """One has rejected lines, which cannot be kept now; nor can the others, which cannot be helped."""
    good, rejected = upload(s3, "a.log", A, "01"), upload(s3, "b.log", as_bytes([*B, "broken"]), "02")
    broken = upload(s3, "c.log.gz", gzip.compress(as_bytes(B))[:-3], "03")
    s3.delete_bucket(Bucket=REJECTS)
    assert deliver(rejected, good, broken, "this is not JSON") == ["0", "2", "3"]
    assert tables.statistics(engine) == oracle.statistics(A)


def test_a_message_that_another_delivery_does_not_help_is_kept_with_the_reason(
    s3: "S3Client", engine: sa.Engine
) -> None:
    """A delivery that repeats, as after a crash behind the writing, changes nothing."""
    good, broken = put(s3, "a.log", as_bytes(A)), put(s3, "b.log.gz", gzip.compress(as_bytes(B))[:-3])
    event = records(created("b.log.gz", broken, "02"), created("a.log", good, "01"))
    for _ in range(2):
        assert deliver(event, "this is not JSON") == []
        documents = undeliverable(s3)
        assert [json.loads(documents["0"]["body"]), documents["1"]["body"]] == [event, "this is not JSON"]
        (failure,) = documents["0"]["failures"]
        assert failure["object"] == f"s3://{BUCKET}/b.log.gz"
        assert "not valid gzip" in failure["reason"]
        assert documents["1"]["failures"][0]["object"] is None
        assert "no event of S3" in documents["1"]["failures"][0]["reason"]
    tables.check(engine, A)


@pytest.mark.usefixtures("withdrawing")
def test_an_object_that_counts_on_a_sealed_day_is_kept_as_undeliverable(
    s3: "S3Client", engine: sa.Engine
) -> None:
    """Its new version, and its withdrawal; the other object of the message counts."""
    assert deliver(upload(s3, "a.log", A, "01")) == []
    expire(engine, sealed=date(2024, 10, 1))
    new, other = put(s3, "a.log", as_bytes(A[:9])), put(s3, "b.log", as_bytes(B))
    replaced = records(created("a.log", new, "02"), created("b.log", other, "01"))
    assert deliver(replaced, records(removed("a.log", delete(s3, "a.log"), "03"))) == []
    for document in undeliverable(s3).values():
        (failure,) = document["failures"]
        assert failure["object"] == f"s3://{BUCKET}/a.log"
        assert "a.log: it counts on days that are sealed, 2024-09-04 to 2024-09-07" in failure["reason"]
    assert len(undeliverable(s3)) == 2
    tables.check(engine, A + B)


def test_a_message_with_an_object_that_another_delivery_may_help_comes_again(
    s3: "S3Client", engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, good = put(s3, "b.log.gz", gzip.compress(as_bytes(B))[:-3]), put(s3, "a.log", as_bytes(A))
    event = records(created("b.log.gz", broken, "02"), created("a.log", good, "01"))
    with monkeypatch.context() as database:
        database.setattr("processor.ingest.stage", Mock(side_effect=[SourceError("final"), OSError("away")]))
        assert deliver(event) == ["0"]
    assert undeliverable(s3) == {}
    assert deliver(event) == []
    assert list(undeliverable(s3)) == ["0"]
    tables.check(engine, A)


def announced_by_eventbridge(key: str) -> dict[str, Any]:
    event = from_eventbridge("Object Created", key, "", "01", reason="PutObject")
    event["detail"]["bucket"]["name"] = REJECTS
    return event


def test_a_kept_message_is_processed_when_its_announcement_is_redriven(
    s3: "S3Client", engine: sa.Engine
) -> None:
    """First its cause is still there, and the same message is kept anew; then the object was backfilled."""
    event, nothing = upload(s3, "a.log", A, "01"), {"Event": "s3:TestEvent"}
    with patch("processor.capacity.BYTES_PER_SECOND", 10):
        assert deliver(event) == []
        first = undeliverable(s3)["0"]
        assert deliver(nothing, announced_by_eventbridge("undeliverable/0.json")) == []
    assert undeliverable(s3)["1"]["body"] == first["body"] == json.dumps(event)
    tables.check(engine)
    assert deliver(nothing, announced_by_eventbridge("undeliverable/1.json")) == []
    tables.check(engine, A)
    assert deliver(announced_by_eventbridge("undeliverable/gone.json"), event) == ["0"]


def test_only_the_bucket_of_rejected_lines_keeps_messages(s3: "S3Client", engine: sa.Engine) -> None:
    """Elsewhere, a log may have such a name."""
    assert deliver(upload(s3, "undeliverable/a.log", A, "01")) == []
    assert undeliverable(s3) == {}
    tables.check(engine, A)


def test_deliveries_that_repeat_change_nothing(s3: "S3Client", engine: sa.Engine) -> None:
    event = upload(s3, "a.log", A, "01")
    assert deliver(event) == deliver(event) == deliver(event, event) == []
    tables.check(engine, A)


@pytest.mark.parametrize("order", [(0, 1), (1, 0), (1, 0, 1, 0)])
def test_the_newest_version_counts_in_any_order(
    s3: "S3Client", engine: sa.Engine, order: tuple[int, ...]
) -> None:
    events = [upload(s3, "a.log", lines, sequencer) for lines, sequencer in ((A, "0A"), (B, "1"))]
    for number in order:
        assert deliver(events[number]) == []
    tables.check(engine, B)


def test_equal_content_advances_the_sequencer(s3: "S3Client", engine: sa.Engine) -> None:
    """Contents A, B, A arrive as 1, 3, 2: were 3 to leave the ledger at 1, the late B would win."""
    first, second, third = (
        upload(s3, "a.log", lines, sequencer) for lines, sequencer in ((A, "01"), (B, "02"), (A, "03"))
    )
    for event in (first, third, second):
        assert deliver(event) == []
    tables.check(engine, A)
    assert tables.ledger(engine, "a.log").sequencer == "03"


def test_a_backfill_follows_an_object_that_is_replaced_while_it_is_read(
    s3: "S3Client", engine: sa.Engine
) -> None:
    put(s3, "a.log", as_bytes(A))
    looks = 0

    def look() -> S3Object:
        nonlocal looks
        looks += 1
        if looks == 2:
            put(s3, "a.log", as_bytes(B))
        return S3Object.head(s3, BUCKET, "a.log")

    assert module._ingestor().ingest_current(look).outcome == "ingested"
    tables.check(engine, B)


def test_rejected_lines_go_to_their_bucket_and_not_to_the_log(
    s3: "S3Client", engine: sa.Engine, said: io.StringIO
) -> None:
    """Those of a version that is replaced are deleted."""
    assert deliver(upload(s3, "in/a.log", as_bytes(A) + b"secret-token broken\n", "01")) == []
    uri = tables.ledger(engine, "in/a.log").rejects_uri
    assert uri is not None
    assert uri.startswith(f"s3://{REJECTS}/")
    body = s3.get_object(Bucket=REJECTS, Key=uri.removeprefix(f"s3://{REJECTS}/"))["Body"].read()
    kept = json.loads(body)
    assert (kept["line"], kept["reason"], kept["text"]) == (601, "layout", "secret-token broken")
    assert "layout" in said.getvalue()
    assert "secret-token" not in said.getvalue()
    assert deliver(upload(s3, "in/a.log", A, "02")) == []
    assert s3.list_objects_v2(Bucket=REJECTS)["KeyCount"] == 0


def removed(key: str, version: str, sequencer: str, kind: str = "DeleteMarkerCreated") -> dict[str, Any]:
    return {**created(key, version, sequencer), "eventName": f"ObjectRemoved:{kind}"}


def delete(s3: "S3Client", key: str, **version: str) -> str:
    return s3.delete_object(Bucket=BUCKET, Key=key, **version)["VersionId"]  # type: ignore[arg-type]  # a version or nothing, by name


def test_a_deletion_changes_nothing_unless_a_setting_says_so(s3: "S3Client", engine: sa.Engine) -> None:
    first = upload(s3, "a.log", A, "01")
    assert deliver(first, records(removed("a.log", delete(s3, "a.log"), "02"))) == []
    tables.check(engine, A)
    assert tables.ledger(engine, "a.log").outcome == "ingested"


@pytest.fixture
def withdrawing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WITHDRAW_REMOVED_OBJECTS", "true")


@pytest.mark.usefixtures("withdrawing")
@pytest.mark.parametrize("order", [(0, 1), (1, 0), (0, 1, 0, 1), (1, 0, 1)])
def test_a_deletion_withdraws_and_leaves_a_tombstone(
    s3: "S3Client", engine: sa.Engine, order: tuple[int, ...]
) -> None:
    kept = upload(s3, "kept.log", B, "01")
    first = upload(s3, "a.log", A, "01")
    gone = records(removed("a.log", delete(s3, "a.log"), "02"))
    for number in order:
        assert deliver(kept, (first, gone)[number]) == []
    tables.check(engine, B)
    row = tables.ledger(engine, "a.log")
    assert (row.outcome, row.sequencer, row.lines, row.attempt_id) == ("withdrawn", "02", 0, None)
    assert deliver(upload(s3, "a.log", A, "03"), gone, first) == []
    tables.check(engine, A + B)


@pytest.mark.usefixtures("withdrawing")
def test_only_the_deletion_of_the_version_that_counts_withdraws(s3: "S3Client", engine: sa.Engine) -> None:
    old, new = put(s3, "a.log", as_bytes(A)), put(s3, "a.log", as_bytes(B))
    delete(s3, "a.log", VersionId=old)
    assert deliver(records(removed("a.log", old, "09", "Delete"), created("a.log", new, "02"))) == []
    assert deliver(records(removed("a.log", old, "09", "Delete"))) == []
    tables.check(engine, B)
    assert deliver(records(created("a.log", old, "01")), records(removed("a.log", new, "0A", "Delete"))) == []
    tables.check(engine)
    assert deliver(records(created("a.log", new, "02"))) == []
    assert tables.ledger(engine, "a.log").outcome == "withdrawn"


@pytest.mark.usefixtures("withdrawing")
def test_a_version_uploaded_before_another_was_deleted_for_good_counts(
    s3: "S3Client", engine: sa.Engine
) -> None:
    """1: upload, 2: upload of another version, 3: the first is deleted for good; 2 is announced last."""
    old = put(s3, "a.log", as_bytes(A))
    assert deliver(records(created("a.log", old, "01"))) == []
    new = put(s3, "a.log", as_bytes(B))
    delete(s3, "a.log", VersionId=old)
    assert deliver(records(removed("a.log", old, "03", "Delete"))) == []
    tables.check(engine)
    assert deliver(records(created("a.log", new, "02")), records(created("a.log", old, "01"))) == []
    tables.check(engine, B)


@pytest.mark.usefixtures("withdrawing")
def test_an_object_whose_delete_marker_is_removed_counts_when_it_is_ingested(
    s3: "S3Client", engine: sa.Engine
) -> None:
    first = upload(s3, "a.log", A, "01")
    marker = delete(s3, "a.log")
    deleted = records(removed("a.log", marker, "02"))
    assert deliver(first, deleted) == []
    delete(s3, "a.log", VersionId=marker)
    assert deliver(records(removed("a.log", marker, "03", "Delete")), first) == []
    tables.check(engine)
    again = module._ingestor().ingest_current(lambda: S3Object.head(s3, BUCKET, "a.log"))
    assert again.outcome == "ingested"
    assert deliver(deleted, first) == []
    tables.check(engine, A)


@pytest.mark.usefixtures("withdrawing")
def test_objects_that_a_lifecycle_rule_expires_go_on_counting(s3: "S3Client", engine: sa.Engine) -> None:
    version = put(s3, "a.log", as_bytes(A))
    expired = {**created("a.log", version, "02"), "eventName": "LifecycleExpiration:Delete"}
    assert deliver(records(created("a.log", version, "01"), expired)) == []
    tables.check(engine, A)


def test_what_is_forgotten_stays_so_until_something_newer_comes(s3: "S3Client", engine: sa.Engine) -> None:
    first = upload(s3, "a.log", A, "01")
    assert deliver(first) == []
    assert module._ingestor().withdraw(Withdrawal(BUCKET, "a.log")).outcome == "withdrawn"
    assert module._ingestor().withdraw(Withdrawal(BUCKET, "a.log")).outcome == "unchanged"
    assert deliver(first) == []
    tables.check(engine)
    assert deliver(upload(s3, "a.log", A, "02")) == []
    tables.check(engine, A)
    module._ingestor().withdraw(Withdrawal(BUCKET, "a.log"))
    again = module._ingestor().ingest_current(lambda: S3Object.head(s3, BUCKET, "a.log"))
    assert again.outcome == "ingested"
    tables.check(engine, A)


def test_a_stale_event_of_a_version_that_is_gone_is_settled_without_it(
    s3: "S3Client", engine: sa.Engine
) -> None:
    old, new = put(s3, "a.log", as_bytes(A)), put(s3, "a.log", as_bytes(B))
    delete(s3, "a.log", VersionId=old)
    assert deliver(records(created("a.log", new, "02")), records(created("a.log", old, "01"))) == []


def test_an_object_too_large_for_the_function_fails_with_the_command_that_helps(
    s3: "S3Client", monkeypatch: pytest.MonkeyPatch, said: io.StringIO
) -> None:
    monkeypatch.setattr("processor.capacity.BYTES_PER_SECOND", 10)
    event = upload(s3, "a.log", A, "01")
    assert deliver(event) == []
    assert list(undeliverable(s3)) == ["0"]
    assert f"logstats ingest 's3://{BUCKET}/a.log'" in said.getvalue()
    assert "trying again will not help" in said.getvalue()
    backfill = module._ingestor().ingest_current(lambda: S3Object.head(s3, BUCKET, "a.log"))
    assert backfill.outcome == "ingested"
    assert deliver(event) == [], "after the backfill, a redrive settles the message"


def test_an_event_that_is_found_stale_at_the_commit_does_not_advance_the_version(
    s3: "S3Client", engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The newer version commits while the older one is read; the deletion of the older one changes nothing."""
    monkeypatch.setenv("WITHDRAW_REMOVED_OBJECTS", "true")
    old, new = put(s3, "a.log", as_bytes(A)), put(s3, "a.log", as_bytes(B))
    events, stage = [records(created("a.log", new, "02"))], staging.stage

    def stage_after_the_newer(*arguments: Any) -> list[list[PartReport]]:  # noqa: ANN401 - passed on
        if events:
            assert deliver(events.pop()) == []
        return stage(*arguments)

    monkeypatch.setattr("processor.ingest.stage", stage_after_the_newer)
    assert deliver(records(created("a.log", old, "01"))) == []
    assert not events
    row = tables.ledger(engine, "a.log")
    assert (row.version, row.sequencer) == (new, "02")
    delete(s3, "a.log", VersionId=old)
    assert deliver(records(removed("a.log", old, "03", "Delete"))) == []
    tables.check(engine, B)


def test_while_versioning_is_suspended_new_content_replaces_the_old(
    s3: "S3Client", engine: sa.Engine
) -> None:
    """Every version is called "null" then, which moto does not understand in requests."""

    def without_null(params: dict[str, Any], **_: object) -> None:
        if params.get("VersionId") == "null":
            del params["VersionId"]

    for operation in ("HeadObject", "GetObject"):
        module._s3().meta.events.register(f"provide-client-params.s3.{operation}", without_null)
    s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Suspended"})
    for sequencer, lines in (("01", A), ("02", B)):
        s3.put_object(Bucket=BUCKET, Key="a.log", Body=as_bytes(lines))
        assert deliver(records(created("a.log", "null", sequencer))) == []
        tables.check(engine, lines)


@pytest.mark.parametrize("key", ["../../../../escaped.log", f"{'x' * 300}.log", "a/b/../../../c.log"])
def test_rejected_lines_of_any_key_stay_in_their_folder(
    s3: "S3Client", engine: sa.Engine, tmp_path: Path, key: str
) -> None:
    version = put(s3, key, as_bytes(A) + b"broken\n")
    ingestor = replace(module._ingestor(), rejects=LocalRejectStore(tmp_path / "a" / "rejected"))
    assert ingestor.ingest(EventRequest(s3, BUCKET, key, version, "01")).outcome == "ingested"
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [str(path) for path in kept] == [tables.ledger(engine, key).rejects_uri]
    assert kept[0].is_relative_to(tmp_path / "a" / "rejected")


def wrapped_by_sns(body: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Notification", "TopicArn": "arn:aws:sns:eu-west-1:0:topic", "Message": json.dumps(body)}


def from_eventbridge(kind: str, key: str, version: str, sequencer: str, **detail: str) -> dict[str, Any]:
    """As S3 sends it to EventBridge: the key is not URL-encoded."""
    entry = {"key": key, "size": 1, "etag": "x", "version-id": version, "sequencer": sequencer}
    return {
        "version": "0",
        "detail-type": kind,
        "source": "aws.s3",
        "time": "2024-10-03T00:00:00Z",
        "detail": {"version": "0", "bucket": {"name": BUCKET}, "object": entry, **detail},
    }


@pytest.mark.usefixtures("withdrawing")
def test_events_in_envelopes_of_sns_and_eventbridge_are_read(s3: "S3Client", engine: sa.Engine) -> None:
    key = "a+%20 ü.log"
    version, other = put(s3, "b c.log", as_bytes(A)), put(s3, key, as_bytes(B))
    assert deliver(
        wrapped_by_sns({"Event": "s3:TestEvent"}),
        wrapped_by_sns(records(created("b c.log", version, "01"))),
        from_eventbridge("Object Created", key, other, "01", reason="PutObject"),
    ) == []  # fmt: skip
    tables.check(engine, A + B)
    assert tables.ledger(engine, key).sequencer == "01"
    marker = delete(s3, key)
    gone = {"reason": "DeleteObject", "deletion-type": "Delete Marker Created"}
    assert deliver(from_eventbridge("Object Deleted", key, marker, "02", **gone)) == []
    tables.check(engine, A)
    delete(s3, "b c.log", VersionId=version)
    gone = {"reason": "Lifecycle Expiration", "deletion-type": "Permanently Deleted"}
    assert deliver(from_eventbridge("Object Deleted", "b c.log", version, "02", **gone)) == []
    tables.check(engine, A)  # what a lifecycle rule expires goes on counting
    gone = {"reason": "DeleteObject", "deletion-type": "Permanently Deleted"}
    assert deliver(from_eventbridge("Object Deleted", "b c.log", version, "02", **gone)) == []
    tables.check(engine)


@pytest.mark.parametrize(
    "body",
    [
        {"hello": "world"},
        [],
        {"Type": "Notification", "Message": "a log"},
        {"source": "aws.ec2", "detail-type": "EC2 Instance State-change Notification", "detail": {}},
        {"Records": [{"eventSource": "aws:dynamodb"}]},
    ],
)
def test_a_message_that_is_no_event_of_s3_is_named(s3: "S3Client", said: io.StringIO, body: object) -> None:
    assert deliver(body) == []
    assert list(undeliverable(s3)) == ["0"]
    assert "no event of S3" in said.getvalue()
    assert "trying again will not help" in said.getvalue()
