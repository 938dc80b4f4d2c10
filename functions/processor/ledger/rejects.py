"""Keeping rejected lines: one JSON document per line, beside the counts in the ledger."""

import base64
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from logstats.models import AttemptPart
from logstats.settings import ProcessorSettings
from processor.dataflow.source import MAX_REJECT_BYTES, MAX_REJECTS
from processor.reading.objects import TransientSourceError, s3_location
from processor.reading.s3 import create_client

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class DeletionError(Exception):
    """Kept lines cannot be deleted now; the message is for people."""


class RejectStore(Protocol):
    """Where rejected lines go."""

    def uri(self, name: str) -> str:
        """Return the URI of a document; it need not exist yet."""

    def put(self, name: str, data: bytes) -> None:
        """Keep a document.

        Raises
        ------
        TransientSourceError
            If it cannot be kept now; then the log object must not count either.
        """


class LocalRejectStore:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def uri(self, name: str) -> str:
        """Return a file's path."""
        return str(self._folder / name)

    def put(self, name: str, data: bytes) -> None:
        """Write a file; a half-written one is never seen."""
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            partial = _partial(path)
            partial.write_bytes(data)
            partial.replace(path)
        except OSError as error:
            raise TransientSourceError(_not_kept(self.uri(name), error)) from error


class S3RejectStore:
    """A bucket."""

    def __init__(self, client: "S3Client", bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def uri(self, name: str) -> str:
        """Return an object's URI."""
        return f"s3://{self._bucket}/{name}"

    def put(self, name: str, data: bytes) -> None:
        """Write an object."""
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=name, Body=data, ContentType="application/x-ndjson"
            )
        except (BotoCoreError, ClientError) as error:
            raise TransientSourceError(_not_kept(self.uri(name), error)) from error


def _not_kept(uri: str, error: Exception) -> str:
    return f"the rejected lines cannot be kept in {uri}, so nothing was committed: {error}"


def delete(uri: str) -> None:
    """Delete a document, whichever store has kept it; one that is not there, or on another machine, is fine.

    Raises
    ------
    DeletionError
        If it cannot be deleted.
    """
    try:
        if location := s3_location(uri):
            bucket, key = location
            create_client(patient=False).delete_object(Bucket=bucket, Key=key)
        else:
            _partial(Path(uri)).unlink(missing_ok=True)
            Path(uri).unlink(missing_ok=True)
    except (OSError, BotoCoreError, ClientError) as error:
        raise DeletionError(f"The rejected lines in {uri} cannot be deleted: {error}") from error


def _partial(path: Path) -> Path:
    return path.with_suffix(".partial")


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


def reject_store(settings: ProcessorSettings, client: Callable[[], "S3Client"]) -> RejectStore:
    """Return where the settings keep rejected lines; a client is made only for a bucket."""
    if settings.rejects_bucket:
        return S3RejectStore(client(), settings.rejects_bucket)
    return LocalRejectStore(settings.rejects_folder)
