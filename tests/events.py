"""Events as functions get them: S3 notifications by SQS, and requests by API Gateway."""

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


def api_event(path: str, query: str = "", method: str = "GET", **changes: object) -> dict[str, Any]:
    """A request, payload version 2.0; in its path, API Gateway has decoded every escape but %25."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {
            "accept": "*/*",
            "host": "api.example.com",
            "x-forwarded-for": "203.0.113.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
        },
        "requestContext": {
            "domainName": "api.example.com",
            "http": {"method": method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
            "requestId": "JKJaXmPLvHcESHA=",
            "stage": "$default",
        },
        "isBase64Encoded": False,
        **changes,
    }
