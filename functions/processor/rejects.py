"""Keeping rejected lines: one JSON document per line, beside the counts in the ledger."""

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from logstats.models import AttemptPart
from processor.source import MAX_REJECT_BYTES, MAX_REJECTS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class RejectStore(Protocol):
    """Where rejected lines go."""

    def put(self, name: str, data: bytes) -> str:
        """Keep a document and return its URI."""


class LocalRejectStore:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, data: bytes) -> str:
        """Write a file; a half-written one is never seen."""
        path = self._folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        partial.write_bytes(data)
        partial.replace(path)
        return str(path)


class S3RejectStore:
    """A bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def put(self, name: str, data: bytes) -> str:
        """Write an object."""
        self._client.put_object(Bucket=self._bucket, Key=name, Body=data, ContentType="application/x-ndjson")
        return f"s3://{self._bucket}/{name}"


def rejected_lines(parts: list[AttemptPart]) -> Iterator[tuple[int, str, bytes]]:
    """Yield line number (from 1, in the whole object), reason and text of the first kept lines.

    At most `MAX_REJECTS` lines are kept, and `MAX_REJECT_BYTES` bytes of each.
    """
    before, kept = 0, 0
    for part in sorted(parts, key=lambda part: part.part):
        for line_number, reason, text in part.rejects[: MAX_REJECTS - kept]:
            kept += 1
            yield before + line_number, reason, base64.b64decode(text)
        before += part.physical_lines


def encode(lines: Iterator[tuple[int, str, bytes]]) -> bytes:
    r"""Return one JSON document per line; bytes that are not UTF-8 are written as ``\xNN``."""
    return b"".join(
        json.dumps(
            {
                "line": line_number,
                "reason": reason,
                "text": text.decode(errors="backslashreplace"),
                "cut": len(text) == MAX_REJECT_BYTES,
            },
            ensure_ascii=False,
        ).encode()
        + b"\n"
        for line_number, reason, text in lines
    )
