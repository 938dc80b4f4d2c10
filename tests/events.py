"""Events as functions get them: S3 notifications by SQS, and requests by API Gateway."""

import json
from types import SimpleNamespace
from typing import Any, cast
from urllib.parse import quote_plus

from aws_lambda_powertools.utilities.typing import LambdaContext


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
    return sqs_messages(*({"Records": [record]} for record in records))


def sqs_messages(*bodies: object) -> dict[str, Any]:
    """One SQS message per body, which is JSON or becomes that; their ids are 0, 1, ..."""
    return {
        "Records": [
            {
                "messageId": str(number),
                "receiptHandle": "handle",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "md5OfBody": "",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-west-1:000000000000:request-logs",
                "awsRegion": "eu-west-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def context(seconds: float = 300) -> LambdaContext:
    """Stand in for Lambda's context of a function that has so many seconds left."""
    found = SimpleNamespace(
        function_name="under-test",
        memory_limit_in_mb=512,
        invoked_function_arn="arn:aws:lambda:eu-west-1:000000000000:function:under-test",
        aws_request_id="11111111-1111-1111-1111-111111111111",
        get_remaining_time_in_millis=lambda: int(seconds * 1_000),
    )
    return cast("LambdaContext", found)


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
