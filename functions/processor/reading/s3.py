"""S3 object versions, read by byte range; what fails in passing is tried again where it stopped."""

import logging
import random
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError, IncompleteReadError
from urllib3.exceptions import HTTPError

from processor.deadline import NEVER, Deadline
from processor.reading.objects import ByteRange, HeldRange, SourceError, TransientSourceError
from processor.reading.readahead import ReadAhead

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)

_TRIES = 6
"""In a row and without a byte of progress; with the pauses, about 6 s."""

_PASSING = {"ExpiredToken", "RequestTimeout", "ThrottlingException", "KMS.ThrottlingException"}
"""Errors that S3 calls the request's fault (400), but that pass."""

_CUT_SHORT = (HTTPClientError, IncompleteReadError, HTTPError, OSError)


class MissingError(SourceError):
    """The object or the version is not there."""


_PATIENT: dict[str, Any] = {
    "retries": {"mode": "standard", "total_max_attempts": 8},
    "connect_timeout": 5,
    "read_timeout": 20,
    "tcp_keepalive": True,
    "max_pool_connections": 32,
}
_IMPATIENT: dict[str, Any] = {"retries": {"total_max_attempts": 1}, "connect_timeout": 1, "read_timeout": 2}


def create_client(*, patient: bool = True, **options: Any) -> "S3Client":  # noqa: ANN401 - boto3's
    """Return a client that repeats throttled and failed requests, with growing and random pauses.

    Mode `standard` of botocore covers 503 SlowDown, other 5xx, and connections that break before the answer. A client
    that is not `patient` gives up at once: for what somebody else will try again.
    """
    import boto3  # noqa: PLC0415 - slow to import, and files do without it
    from botocore.config import Config  # noqa: PLC0415 - slow to import, needed only here

    return boto3.client("s3", config=Config(**_PATIENT if patient else _IMPATIENT), **options)


@dataclass(frozen=True, slots=True)
class S3Object:
    """One version of an S3 object. Every read names the version and its ETag, and waits no longer than the deadline."""

    client: "S3Client" = field(repr=False)
    bucket: str
    key: str
    version: str | None
    etag: str
    size: int
    modified_ns: int = field(compare=False)
    deadline: Deadline = field(default=NEVER, compare=False, repr=False)
    content: bytes = field(default=b"", compare=False, repr=False)
    """All bytes, if they were fetched."""

    @classmethod
    def fetch(cls, client: "S3Client", bucket: str, key: str, most: int) -> "S3Object":
        """Get the current version, with all its bytes, by one request; a `SourceError` if that fails, or it has more than `most`."""
        try:
            answer = client.get_object(Bucket=bucket, Key=key)
            with closing(answer["Body"]) as body:
                if answer["ContentLength"] > most:
                    raise SourceError(f"s3://{bucket}/{key}: it has {answer['ContentLength']:,} bytes by now")
                content = body.read()
        except (ClientError, BotoCoreError, *_CUT_SHORT) as error:
            raise SourceError(f"s3://{bucket}/{key}: {error}") from error
        found = answer.get("VersionId"), answer["ETag"], answer["ContentLength"]
        modified_ns = int(answer["LastModified"].timestamp()) * 1_000_000_000
        return cls(client, bucket, key, *found, modified_ns, content=content)

    @classmethod
    def head(cls, client: "S3Client", bucket: str, key: str, version: str | None = None) -> "S3Object":
        """Head a version, or the current one; a `MissingError` if there is none, or else a `SourceError` if that fails."""
        wanted = {"VersionId": version} if version else {}
        try:
            head = client.head_object(Bucket=bucket, Key=key, **wanted)  # type: ignore[arg-type]  # a version or nothing, by name
        except (ClientError, BotoCoreError) as error:
            _fail(f"s3://{bucket}/{key}", error)
        found = head.get("VersionId", version), head["ETag"], head["ContentLength"]
        return cls(client, bucket, key, *found, int(head["LastModified"].timestamp()) * 1_000_000_000)

    def open_range(self, start: int, end: int) -> ByteRange:
        """Open the bytes from `start` up to `end`; they are fetched ahead, if they were not yet."""
        if len(self.content) == self.size:
            return HeldRange(self.content[start:end])
        return ReadAhead(_S3Range(self, start, end), self.deadline)


def list_objects(client: "S3Client", bucket: str, prefix: str) -> Iterator[tuple[str, int]]:
    """Yield the keys under a prefix and the sizes of their current versions, in the order of the keys.

    A `SourceError` if that fails.
    """
    try:
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", ()):
                yield entry["Key"], entry["Size"]
    except (ClientError, BotoCoreError) as error:
        _fail(f"s3://{bucket}/{prefix}", error)


def current_version(client: "S3Client", bucket: str, key: str) -> str | None:
    """Return the current version of a key; empty if the key has no object now."""
    try:
        return S3Object.head(client, bucket, key).version
    except MissingError:
        return ""


class _S3Range:
    """A byte range; a body that breaks off is asked for again from there, in the same version."""

    def __init__(self, log: S3Object, start: int, end: int) -> None:
        self._log, self._at, self._end = log, start, end
        self._body: Any = None
        self._failures = 0

    def readinto(self, buffer: memoryview) -> int:
        while self._at < self._end:
            try:
                self._body = self._body or self._request()
                data = self._body.read(min(len(buffer), self._end - self._at))
                if not data:
                    raise IncompleteReadError(actual_bytes=self._at, expected_bytes=self._end)
            except _CUT_SHORT as error:
                self._pause(error)
                continue
            self._failures = 0
            self._at += len(data)
            buffer[: len(data)] = data
            return len(data)
        return 0

    def _request(self) -> Any:  # noqa: ANN401 - botocore's StreamingBody
        log = self._log
        wanted = {"VersionId": log.version} if log.version else {}
        try:
            answer = log.client.get_object(
                Bucket=log.bucket,
                Key=log.key,
                Range=f"bytes={self._at}-{self._end - 1}",
                IfMatch=log.etag,
                **wanted,  # type: ignore[arg-type]  # a version or nothing, by name
            )
        except (ClientError, BotoCoreError) as error:
            _fail(f"s3://{log.bucket}/{log.key}", error)
        return answer["Body"]

    def _pause(self, error: Exception) -> None:
        self.close()
        self._failures += 1
        where = f"s3://{self._log.bucket}/{self._log.key}: the body broke off at byte {self._at:,}"
        if self._failures == _TRIES:
            raise TransientSourceError(f"{where}, {_TRIES} times: {error}") from error
        logger.warning("%s; reading on from there: %s", where, error)
        time.sleep(random.uniform(0.5, 1) * 0.1 * 2**self._failures)  # noqa: S311 - no secret

    def close(self) -> None:
        if self._body is not None:
            self._body.close()
            self._body = None


def _fail(name: str, error: ClientError | BotoCoreError) -> NoReturn:
    """Say whether trying again may help."""
    if not isinstance(error, ClientError):
        raise TransientSourceError(f"{name}: S3 cannot be reached: {error}") from error
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED):  # 405: a delete marker
        raise MissingError(f"{name}: this version does not exist; it was deleted, or never was") from error
    if status == HTTPStatus.PRECONDITION_FAILED:
        raise TransientSourceError(f"{name}: it was replaced while it was read") from error
    busy = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status == HTTPStatus.TOO_MANY_REQUESTS
    if busy or error.response.get("Error", {}).get("Code") in _PASSING:
        raise TransientSourceError(f"{name}: S3 is busy or out of order: {error}") from error
    raise SourceError(f"{name}: {error}") from error
