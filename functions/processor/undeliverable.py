"""Messages that another delivery does not help: each is kept as a document in the bucket of rejected lines.

EventBridge announces the document to the dead-letter queue, which the function itself cannot reach. When that
announcement is redriven, the message is processed that the document keeps (docs/decisions/0004-commits.md).
"""

import datetime as dt
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from processor.announcements import announcements

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PREFIX = "undeliverable/"


def keep(
    client: "S3Client", bucket: str, message_id: str, body: str, reasons: Sequence[tuple[str | None, str]]
) -> None:
    """Write the document of a message; a delivery that repeats writes the same one.

    Parameters
    ----------
    reasons
        Each with its log object, if that is known.

    Raises
    ------
    botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError
        If it cannot be written now.
    """
    document = {
        "time": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "failures": [{"object": source, "reason": reason} for source, reason in reasons],
        "body": body,
    }
    client.put_object(
        Bucket=bucket,
        Key=f"{PREFIX}{message_id}.json",
        Body=json.dumps(document, ensure_ascii=False).encode(),
        ContentType="application/json",
    )


def original(client: "S3Client", bucket: str, body: str) -> str:
    """Return the message that a document keeps, if the body announces one, and otherwise the body.

    Raises
    ------
    UnknownMessageError
        If the body is no event of S3.
    botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError
        If the document cannot be read now.
    """
    for announcement in announcements(body):
        if announcement.bucket == bucket and announcement.key.startswith(PREFIX):
            document = client.get_object(Bucket=bucket, Key=announcement.key)["Body"].read()
            return str(json.loads(document)["body"])
    return body
