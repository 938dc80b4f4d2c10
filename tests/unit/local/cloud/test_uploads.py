"""What is told of an upload that fails."""

import json
from collections import deque
from types import SimpleNamespace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from cdk import outputs
from local.cloud.function import Failure
from local.cloud.uploads import Failures, failed_keys, last_line
from processor.undeliverable import keep


def message(*keys: str) -> dict[str, str]:
    return {"body": json.dumps({"Records": [{"s3": {"object": {"key": key}}} for key in keys]})}


def test_the_keys_are_decoded_and_a_test_event_has_none() -> None:
    assert failed_keys({"Records": [message("a+b%C3%A4.log", "c.log")]}) == ["a bä.log", "c.log"]
    assert failed_keys({"Records": [{"body": json.dumps({"Event": "s3:TestEvent"})}]}) == []


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("one", "one"),
        ("All records failed.\n\nTraceback ...\nValueError: no\n\n", "ValueError: no"),
        ("", "no message"),
    ],
)
def test_the_last_line_is_the_one_that_tells(text: str, line: str) -> None:
    assert last_line(text) == line


def test_each_failure_is_told_once_of_invocations_and_of_messages_that_are_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Also when the function remembers no more of them, or has forgotten all."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    remembered: deque[Failure] = deque(maxlen=2)

    def fail(key: str) -> None:
        remembered.append(Failure({"Records": [message(key)]}, f"no {key}"))

    with mock_aws():
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="rejects")
        cloud: Any = SimpleNamespace(
            emulator=SimpleNamespace(client=lambda _: s3),
            processor=SimpleNamespace(failures=remembered),
            outputs={outputs.REJECTS_BUCKET: "rejects"},
        )
        fail("before.log")
        keep(s3, "rejects", "0", "", [("s3://logs/before.log.gz", "not gzip")])
        failures = Failures(cloud)
        assert list(failures.new()) == []
        for key in ("a.log", "b.log", "c.log"):
            fail(key)
            assert list(failures.new()) == [([key], f"no {key}")]
        remembered.clear()
        fail("d.log")
        keep(s3, "rejects", "1", "", [("s3://logs/x/e.log.gz", "not gzip"), (None, "no event")])
        told = [(["d.log"], "no d.log"), (["x/e.log.gz"], "not gzip"), (["a message"], "no event")]
        assert list(failures.new()) == told
        assert list(failures.new()) == []
