"""Upload a log object, and see what comes of it."""

import datetime as dt
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, unquote_plus

import sqlalchemy as sa
from sqlalchemy.orm import Session

from cdk import outputs
from local import ledger
from local.cloud.cloud import Cloud
from local.errors import UserError
from logstats.models import LogObject
from processor.reading.objects import s3_location
from processor.undeliverable import PREFIX

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_POLL_SECONDS = 0.1
_TIMEOUT_SECONDS = 330.0
"""A little more than the processor may take."""


class Failures:
    """Collect failures of the processor from now on: invocations, and messages that another delivery does not help."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud, self._told = cloud, list(cloud.processor.failures)
        self._s3: S3Client = cloud.emulator.client("s3")
        self._bucket = cloud.outputs[outputs.REJECTS_BUCKET]
        self._known = self._documents()

    def new(self) -> Iterator[tuple[list[str], str]]:
        """Yield keys, and the reason, of what has failed since this was asked last."""
        told, self._told = {id(each) for each in self._told}, list(self._cloud.processor.failures)
        for failure in self._told:
            if id(failure) not in told:
                yield failed_keys(failure.event), last_line(failure.message)
        before, self._known = self._known, self._documents()
        for name in sorted(self._known - before):
            document = json.loads(self._s3.get_object(Bucket=self._bucket, Key=name)["Body"].read())
            for each in document["failures"]:
                _, key = s3_location(each["object"] or "") or ("", "a message")
                yield [key], each["reason"]

    def _documents(self) -> set[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=PREFIX)
        return {each["Key"] for page in pages for each in page.get("Contents", [])}


def upload(cloud: Cloud, file: Path) -> str:
    """Upload a file under its name; tell what came of it.

    Raises
    ------
    UserError
        If the file cannot be read, or the processor fails.
    """
    started = time.monotonic()
    known, failures = ledger.row(cloud.engine, cloud.bucket, file.name), Failures(cloud)
    version = _put(cloud, file)
    while time.monotonic() < started + _TIMEOUT_SECONDS:
        row = ledger.row(cloud.engine, cloud.bucket, file.name)
        if row is not None and row.version == version:
            unchanged = known is not None and row.committed_at == known.committed_at
            outcome = "unchanged" if unchanged else str(row.outcome)
            rejected = f", {row.rejected:,} of them rejected" if row.rejected else ""
            seconds = time.monotonic() - started
            counts = f"{row.lines:,} lines{rejected}, {seconds:.1f} s from the upload to the commit"
            return f"{file.name}: {outcome}, {counts}"
        for _, reason in failures.new():
            raise UserError(f"{file.name} could not be ingested: {reason}")
        time.sleep(_POLL_SECONDS)
    raise UserError(f"{file.name} was not ingested within {_TIMEOUT_SECONDS:.0f} seconds")


def deliver_missed(cloud: Cloud) -> list[str]:
    """Announce the objects that the ledger does not know; return their keys.

    The queue does not survive a stop of the emulator. What was in it is delivered again, as S3 would have:
    with a sequencer that is newer than those of earlier versions, and older than those of all that follow.
    """
    s3, sqs = cloud.emulator.client("s3"), cloud.emulator.client("sqs")
    missed = []
    with Session(cloud.engine) as session:
        found = sa.select(LogObject.key, LogObject.version).where(LogObject.bucket == cloud.bucket)
        versions = dict(session.execute(found).tuples().all())
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=cloud.bucket):
        for item in page.get("Versions", []):
            if item["IsLatest"] and versions.get(item["Key"]) != item["VersionId"]:
                sqs.send_message(
                    QueueUrl=cloud.outputs[outputs.QUEUE_URL],
                    MessageBody=json.dumps({"Records": [_event(cloud.bucket, item)]}),
                )
                missed.append(item["Key"])
    return missed


def _event(bucket: str, item: Any) -> dict[str, Any]:  # noqa: ANN401 - one of several boto3 types
    modified: dt.datetime = item["LastModified"]
    return {
        "eventVersion": "2.6",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "eventTime": modified.isoformat(),
        "s3": {
            "bucket": {"name": bucket},
            "object": {
                "key": quote_plus(item["Key"], safe="/"),
                "size": item["Size"],
                "eTag": item["ETag"].strip('"'),
                "versionId": item["VersionId"],
                "sequencer": f"{int(modified.timestamp() * 1_000_000):018X}",
            },
        },
    }


def failed_keys(event: Any) -> list[str]:  # noqa: ANN401 - JSON
    """Return the keys that an event of the queue is about."""
    bodies = [json.loads(message["body"]) for message in event.get("Records", [])]
    return [
        unquote_plus(record["s3"]["object"]["key"]) for body in bodies for record in body.get("Records", [])
    ]


def last_line(message: str) -> str:
    """Return the last line of an error, which in a traceback is the one that tells."""
    return (message.strip() or "no message").splitlines()[-1].strip()


def _put(cloud: Cloud, file: Path) -> str:
    s3: S3Client = cloud.emulator.client("s3")
    try:
        with file.open("rb") as body:
            return s3.put_object(Bucket=cloud.bucket, Key=file.name, Body=body)["VersionId"]
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None
