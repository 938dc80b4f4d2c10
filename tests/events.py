"""S3 notifications as SQS delivers them to a function."""

import json
from typing import Any
from urllib.parse import quote_plus


def created(bucket: str, key: str, version: str, sequencer: str) -> dict[str, Any]:
    """An S3 event record; S3 URL-encodes the key."""
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-west-1",
        "eventTime": "2024-10-03T00:00:00.000Z",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "s3SchemaVersion": "1.0",
            "bucket": {"name": bucket, "arn": f"arn:aws:s3:::{bucket}"},
            "object": {
                "key": quote_plus(key, safe="/"),
                "size": 1,
                "eTag": "x",
                "versionId": version,
                "sequencer": sequencer,
            },
        },
    }


def sqs_event(*records: dict[str, Any]) -> dict[str, Any]:
    """One SQS message per S3 record; their ids are 0, 1, ..."""
    return {
        "Records": [
            {
                "messageId": str(number),
                "receiptHandle": "handle",
                "body": json.dumps({"Records": [record]}),
                "attributes": {
                    "ApproximateReceiveCount": "1",
                    "SentTimestamp": "0",
                    "SenderId": "S3",
                    "ApproximateFirstReceiveTimestamp": "0",
                },
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:request-logs",
                "awsRegion": "eu-west-1",
            }
            for number, record in enumerate(records)
        ]
    }
