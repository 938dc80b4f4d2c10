"""Keeping rejected lines, in a folder or a bucket: one JSON document per line, beside the counts in the ledger."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING

import sqlalchemy as sa
from botocore.exceptions import BotoCoreError, ClientError

from processor.dataflow.report import MAX_REJECT_BYTES, MAX_REJECTS, PartReport
from processor.deadline import Deadline
from processor.ledger import attempts
from processor.ledger.rejects import DeletionError
from processor.reading.objects import TransientSourceError, s3_location
from processor.reading.s3 import create_client
from processor.settings import ProcessorSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class LocalRejectStore:
    """A folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.resolve()

    def uri(self, name: str) -> str:
        """Return a file's path."""
        return str(self._folder / name)

    def put(self, name: str, data: bytes) -> None:
        """Write a file, of which nobody sees a half; a `TransientSourceError` if that fails now."""
        path = self._folder / name
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            half_written = _half_written(path)
            half_written.write_bytes(data)
            half_written.replace(path)
        except OSError as error:
            raise TransientSourceError(_not_kept(self.uri(name), error)) from error

    def delete(self, uri: str) -> None:
        """Delete a file; one that is on another machine is fine, an object is not this store's."""
        if s3_location(uri):
            raise DeletionError(_not_deleted(uri, "they are in a bucket, and this ingest has none"))
        _unlink(uri)


class S3RejectStore:
    """A bucket. `deleting` makes a client that gives up early, since somebody else will try to delete again."""

    def __init__(
        self, client: "S3Client", bucket: str, deleting: "Callable[[], S3Client] | None" = None
    ) -> None:
        self._client, self._bucket = client, bucket
        self._deleting = deleting or (lambda: client)

    def uri(self, name: str) -> str:
        """Return an object's URI."""
        return f"s3://{self._bucket}/{name}"

    def put(self, name: str, data: bytes) -> None:
        """Write an object; a `TransientSourceError` if that fails now."""
        try:
            self._client.put_object(
                Bucket=self._bucket, Key=name, Body=data, ContentType="application/x-ndjson"
            )
        except (BotoCoreError, ClientError) as error:
            raise TransientSourceError(_not_kept(self.uri(name), error)) from error

    def delete(self, uri: str) -> None:
        """Delete an object, or a file that an ingest without a bucket has written."""
        location = s3_location(uri)
        if location is None:
            _unlink(uri)
            return
        bucket, key = location
        try:
            self._deleting().delete_object(Bucket=bucket, Key=key)
        except (BotoCoreError, ClientError) as error:
            raise DeletionError(_not_deleted(uri, error)) from error


def reject_store(
    settings: ProcessorSettings, client: "Callable[[], S3Client]"
) -> LocalRejectStore | S3RejectStore:
    """Return where the settings keep rejected lines; a client is made only for a bucket."""
    if settings.rejects_bucket:
        return S3RejectStore(client(), settings.rejects_bucket, partial(create_client, patient=False))
    return LocalRejectStore(settings.rejects_folder)


def _unlink(uri: str) -> None:
    try:
        _half_written(Path(uri)).unlink(missing_ok=True)
        Path(uri).unlink(missing_ok=True)
    except OSError as error:
        raise DeletionError(_not_deleted(uri, error)) from error


def _half_written(path: Path) -> Path:
    return path.with_suffix(".partial")


def _not_kept(uri: str, error: Exception) -> str:
    return f"the rejected lines cannot be kept in {uri}, so nothing was committed: {error}"


def _not_deleted(uri: str, reason: object) -> str:
    return f"The rejected lines in {uri} cannot be deleted: {reason}"


def keep(
    store: LocalRejectStore | S3RejectStore,
    connection: sa.Connection,
    reports: Mapping[int, Iterable[PartReport]],
    deadline: Deadline,
) -> dict[int, str]:
    """Keep the rejected lines of attempts, and return where, for those that have any."""
    kept = {attempt_id: encode(rejected_lines(its)) for attempt_id, its in reports.items()}
    # Not after the key, which may be long or lead elsewhere; other databases have the same ids.
    names = {attempt_id: f"{attempt_id}-{token_hex(8)}.jsonl" for attempt_id, lines in kept.items() if lines}
    uris = {attempt_id: store.uri(name) for attempt_id, name in names.items()}
    if uris:
        attempts.note_rejects(connection, uris)
    for attempt_id, name in names.items():
        put, undo = partial(store.put, name, kept[attempt_id]), partial(store.delete, uris[attempt_id])
        deadline.run_within(put, undo)
    return uris


def rejected_lines(reports: Iterable[PartReport]) -> Iterator[tuple[int, str, bytes]]:
    """Yield line number (from 1, in the whole object), reason and text of the first kept lines.

    At most `MAX_REJECTS` lines are kept, and `MAX_REJECT_BYTES` bytes of each.
    """
    before, kept = 0, 0
    for report in reports:
        for line_number, reason, text in report.rejects[: MAX_REJECTS - kept]:
            kept += 1
            yield before + line_number, reason, text
        before += report.physical_lines


def encode(lines: Iterable[tuple[int, str, bytes]]) -> bytes:
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
