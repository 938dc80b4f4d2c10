"""Read what a message announces: objects that were made or removed, as S3 tells a queue, a topic or EventBridge."""

import json
from typing import Annotated, Any
from urllib.parse import unquote_plus

from aws_lambda_powertools.utilities.data_classes import S3Event, S3EventBridgeNotificationEvent
from aws_lambda_powertools.utilities.data_classes.s3_event import S3EventRecord
from pydantic import ConfigDict, StringConstraints
from pydantic.dataclasses import dataclass

from processor.reading.objects import SourceError

_KINDS = {
    ("Object Created", None): "ObjectCreated",
    ("Object Deleted", "Permanently Deleted"): "ObjectRemoved:Delete",
    ("Object Deleted", "Delete Marker Created"): "ObjectRemoved:DeleteMarkerCreated",
}
"""EventBridge's `detail-type` and `deletion-type`, and the same in the words of the other notifications."""


class UnknownMessageError(SourceError):
    """A message is no event of S3; trying again does not help."""


_Name = Annotated[str, StringConstraints(min_length=1)]


@dataclass(frozen=True, slots=True, config=ConfigDict(strict=True))
class Announcement:
    """Hold what S3 says of one object: the `kind` of event, as `ObjectCreated:Put`, and when it happened, in ISO 8601."""

    kind: str
    bucket: _Name
    key: _Name
    version: str | None
    sequencer: str | None
    time: str | None


def announcements(text: str) -> list[Announcement]:
    """Read a message of S3, also in an envelope of SNS or EventBridge; the event with which S3 tests says nothing.

    Source: Amazon S3 user guide, "Event message structure" and "EventBridge event message structure". An
    `UnknownMessageError` if it is none of these.
    """
    try:
        body: Any = json.loads(text)
        if body.get("Type") == "Notification":
            body = json.loads(body["Message"])
        if body.get("Event") == "s3:TestEvent":
            return []
        if body.get("source") == "aws.s3":
            return [_of_eventbridge(S3EventBridgeNotificationEvent(body))]
        return [_of_record(record) for record in S3Event(body).records]
    except (AttributeError, KeyError, RecursionError, TypeError, ValueError):
        raise UnknownMessageError(
            "the message is no event of S3, neither as it is nor in an envelope of SNS or EventBridge"
        ) from None


def _of_record(record: S3EventRecord) -> Announcement:
    entry = record.s3.get_object
    return Announcement(
        record.event_name.removeprefix("s3:"),
        record.s3.bucket.name,
        unquote_plus(entry.key),
        entry.version_id,
        entry.get("sequencer"),
        record.get("eventTime"),
    )


def _of_eventbridge(event: S3EventBridgeNotificationEvent) -> Announcement:
    """Read an event whose key is not URL-encoded; Powertools would decode it all the same."""
    detail = event.detail
    entry = detail.object
    kind = _KINDS.get((event.detail_type, detail.deletion_type), event.detail_type)
    is_expired = detail.reason == "Lifecycle Expiration"
    return Announcement(
        "LifecycleExpiration" if is_expired else kind,
        detail.bucket.name,
        entry["key"],
        entry.get("version-id"),
        entry.get("sequencer"),
        event.time,
    )
