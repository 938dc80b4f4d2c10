"""A versioned bucket in memory, with S3's semantics: versions, ETags, If-Match, ranges, delete markers.

moto answers the same, but takes some 10 ms per call, which is too slow for thousands of schedules.
"""

# ruff: noqa: N803, ARG002 - boto3 names the parameters
import datetime as dt
import hashlib
import io
from dataclasses import dataclass, field
from typing import Any

from botocore.exceptions import ClientError


def _error(operation: str, status: int, code: str) -> ClientError:
    return ClientError(
        {"Error": {"Code": code, "Message": code}, "ResponseMetadata": {"HTTPStatusCode": status}},  # type: ignore[typeddict-item]  # as little as the code reads
        operation,
    )


@dataclass
class VersionedBucket:
    """Stands in for a boto3 client. A version without data is a delete marker."""

    versions: dict[str, list[tuple[str, bytes | None]]] = field(default_factory=dict)
    puts: dict[str, int] = field(default_factory=dict)

    def put(self, key: str, data: bytes | None) -> str:
        """Add a version, or a delete marker, and return its id."""
        history = self.versions.setdefault(key, [])
        history.append((f"v{self.puts.setdefault(key, 0) + 1}", data))
        self.puts[key] += 1
        return history[-1][0]

    def remove(self, key: str, version: str) -> None:
        self.versions[key] = [entry for entry in self.versions[key] if entry[0] != version]

    def only(self, key: str) -> "VersionedBucket":
        return VersionedBucket({key: self.versions[key]})

    def _find(self, operation: str, key: str, version: str | None) -> tuple[str, bytes]:
        history = self.versions.get(key, [])
        if version is None:
            if not history or history[-1][1] is None:
                raise _error(operation, 404, "NoSuchKey")
            version = history[-1][0]
        for known, data in history:
            if known == version:
                if data is None:
                    raise _error(operation, 405, "MethodNotAllowed")
                return version, data
        raise _error(operation, 404, "NoSuchVersion")

    def head_object(self, *, Bucket: str, Key: str, VersionId: str | None = None) -> dict[str, Any]:
        version, data = self._find("HeadObject", Key, VersionId)
        modified = {"LastModified": dt.datetime.now(dt.UTC)}
        return {"VersionId": version, "ETag": _etag(data), "ContentLength": len(data), **modified}

    def get_object(
        self,
        *,
        Bucket: str,
        Key: str,
        Range: str,
        IfMatch: str,
        VersionId: str | None = None,
    ) -> dict[str, Any]:
        _, data = self._find("GetObject", Key, VersionId)
        if _etag(data) != IfMatch:
            raise _error("GetObject", 412, "PreconditionFailed")
        first, last = map(int, Range.removeprefix("bytes=").split("-"))
        return {"Body": io.BytesIO(data[first : last + 1])}


def _etag(data: bytes) -> str:
    return f'"{hashlib.md5(data, usedforsecurity=False).hexdigest()}"'
