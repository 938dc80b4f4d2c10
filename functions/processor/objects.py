"""Log objects as bytes: local files and S3 object versions, read by byte range."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

FILE_BUCKET = "file"


class SourceError(Exception):
    """A log object cannot be read, or is not what it was; the message is for people."""


class ByteRange(Protocol):
    """A stretch of a log object, read from its start to its end."""

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer as far as bytes are left; return how many were read, 0 at the end."""

    def close(self) -> None:
        """Let go of the file or connection."""


class LogObject(Protocol):
    """One version of a log object."""

    @property
    def bucket(self) -> str:
        """The bucket, `file` for a local one."""

    @property
    def key(self) -> str:
        """The key, or the resolved path."""

    @property
    def size(self) -> int:
        """Bytes, as stored."""

    def open_range(self, start: int, end: int) -> ByteRange:
        """Open the bytes from `start` up to, but not including, `end`."""

    def check_unchanged(self) -> None:
        """Raise a `SourceError` if the bytes may no longer be those of the first look."""


def is_gzip(key: str) -> bool:
    """Whether a log object is compressed."""
    return key.endswith(".log.gz")


def is_log(key: str) -> bool:
    """Whether an object is a log object at all: the suffix decides."""
    return key.endswith((".log", ".log.gz"))


# ---- Local files ---------------------------------------------------------------------------------


class _FileRange:
    def __init__(self, path: str, start: int, end: int) -> None:
        self._descriptor = os.open(path, os.O_RDONLY)
        self._at, self._end = start, end

    def readinto(self, buffer: memoryview) -> int:
        wanted = min(len(buffer), self._end - self._at)
        count = os.preadv(self._descriptor, [buffer[:wanted]], self._at) if wanted else 0
        if wanted and not count:
            raise SourceError("the file became shorter while it was read")
        self._at += count
        return count

    def close(self) -> None:
        os.close(self._descriptor)


@dataclass(frozen=True, slots=True)
class LocalFile:
    """A file, as it was when it was first looked at."""

    key: str
    size: int
    modified_ns: int
    bucket: str = FILE_BUCKET

    @classmethod
    def at(cls, path: Path) -> "LocalFile":
        """Look at a file.

        Raises
        ------
        SourceError
            If there is no readable file.
        """
        try:
            str(path.resolve()).encode()
            with path.open("rb"):
                status = path.stat()
        except UnicodeEncodeError:
            raise SourceError(f"{str(path)!a}: the name is not valid UTF-8") from None
        except OSError as error:
            raise SourceError(f"{path}: {error.strerror}") from error
        return cls(str(path.resolve()), status.st_size, status.st_mtime_ns)

    def open_range(self, start: int, end: int) -> ByteRange:
        """Open the bytes from `start` up to `end`."""
        return _FileRange(self.key, start, end)

    def check_unchanged(self) -> None:
        """Raise a `SourceError` if size or modification time differ from the first look."""
        if LocalFile.at(Path(self.key)) != self:
            raise SourceError(f"{self.key}: the file changed while it was read")


# ---- S3 ------------------------------------------------------------------------------------------


class _S3Range:
    def __init__(self, read: Callable[[int], bytes], close: Callable[[], None], length: int) -> None:
        self._read, self.close, self._left = read, close, length

    def readinto(self, buffer: memoryview) -> int:
        try:
            data = self._read(min(len(buffer), self._left)) if self._left else b""
        except (BotoCoreError, HTTPError) as error:
            raise SourceError(f"the object's body could not be read: {error}") from error
        if self._left and not data:
            raise SourceError("the object's body ended early")
        buffer[: len(data)] = data
        self._left -= len(data)
        return len(data)


@dataclass(frozen=True, slots=True)
class S3Object:
    """One version of an S3 object. Every read names the version and its ETag."""

    client: "S3Client"
    bucket: str
    key: str
    version: str | None
    etag: str
    size: int

    @classmethod
    def head(cls, client: "S3Client", bucket: str, key: str, version: str | None = None) -> "S3Object":
        """Look at a version, or at the current one.

        Raises
        ------
        SourceError
            If it does not exist or cannot be read.
        """
        wanted = {"VersionId": version} if version else {}
        try:
            head = client.head_object(Bucket=bucket, Key=key, **wanted)  # type: ignore[arg-type]
        except (ClientError, BotoCoreError) as error:
            raise SourceError(f"s3://{bucket}/{key}: {error}") from error
        return cls(client, bucket, key, head.get("VersionId", version), head["ETag"], head["ContentLength"])

    def open_range(self, start: int, end: int) -> ByteRange:
        """Open the bytes from `start` up to `end`."""
        if start >= end:  # HTTP has no empty range
            return _S3Range(lambda _: b"", lambda: None, 0)
        wanted = {"VersionId": self.version} if self.version else {}
        try:
            answer = self.client.get_object(
                Bucket=self.bucket,
                Key=self.key,
                Range=f"bytes={start}-{end - 1}",
                IfMatch=self.etag,
                **wanted,  # type: ignore[arg-type]
            )
        except (ClientError, BotoCoreError) as error:
            raise SourceError(f"s3://{self.bucket}/{self.key}: {error}") from error
        return _S3Range(answer["Body"].read, answer["Body"].close, end - start)

    def check_unchanged(self) -> None:
        """Do nothing: every read has checked the ETag."""
