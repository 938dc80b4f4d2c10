"""Requests ask the ledger the right question."""

import datetime as dt
from typing import TYPE_CHECKING, cast
from unittest.mock import Mock

import pytest

from processor.deadline import NEVER
from processor.reading.objects import SourceError
from processor.reading.s3 import S3Object
from processor.requests import CurrentVersionRequest, EventRequest

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


@pytest.mark.parametrize(("version", "asked"), [("v1", "v1"), (None, None), ("null", None)])
def test_null_is_no_version(version: str | None, asked: str | None) -> None:
    """S3 gives it to every object that is written while versioning is suspended."""
    client = cast("S3Client", Mock())
    found = S3Object(client, "b", "a.log", version, "etag", 1, 0)
    assert EventRequest(client, "b", "a.log", version, "01").delivery(NEVER).version == asked
    assert CurrentVersionRequest(lambda: found, found).delivery(NEVER).version == asked


@pytest.mark.parametrize("named", [None, "null"])
@pytest.mark.parametrize("found", [None, "null"])
def test_an_event_without_version_is_current_while_the_object_has_none(
    named: str | None, found: str | None
) -> None:
    client = Mock()
    client.head_object.return_value = {
        "ETag": "e",
        "ContentLength": 1,
        "LastModified": dt.datetime.now(dt.UTC),
        "VersionId": found,
    }
    assert EventRequest(client, "b", "a.log", named, "01").delivery(NEVER).is_current()
    client.head_object.return_value["VersionId"] = "v2"
    assert not EventRequest(client, "b", "a.log", named, "01").delivery(NEVER).is_current()


def test_an_object_that_is_replaced_again_and_again_is_given_up_after_five_versions() -> None:
    versions = [
        S3Object(cast("S3Client", Mock()), "b", "a.log", f"v{number}", "etag", 1, 0) for number in range(9)
    ]
    head = Mock(side_effect=versions[1:])
    request = CurrentVersionRequest(head, versions[0])
    for number in range(1, 5):
        request = request.next()
        assert request.delivery(NEVER).version == f"v{number}"
    with pytest.raises(SourceError, match=r"s3://b/a\.log: it was replaced 5 times while it was read"):
        request.next()
