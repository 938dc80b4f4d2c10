"""Requests to ingest: a file, the version that an S3 event names, or the current version of a key."""

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from processor.deadline import Deadline
from processor.ledger.delivery import UNVERSIONED, Delivery
from processor.reading.content import begins_unchanged, begins_with, cut_at_line_end, digest_of
from processor.reading.objects import LocalFile, SourceError, StoredObject, TransientSourceError, source_of
from processor.reading.readable import ReadableLog
from processor.reading.s3 import S3Object, current_version

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_TRIES = 5


class Request(Protocol):
    """One version of a log object that is to count."""

    def delivery(self, deadline: Deadline) -> Delivery:
        """Return what the ledger is asked before anything is read."""

    def open(self, deadline: Deadline) -> StoredObject:
        """Find the object, whose bytes are waited for no longer than the deadline; a `SourceError` if that fails."""

    def read(self, delivery: Delivery, _log: ReadableLog, chunk_digests: bytes, _size: int) -> Delivery:
        """Return the delivery of content of a size that was read, and whose chunks have some digests."""
        return replace(delivery, content_digest=digest_of(chunk_digests))

    def has_changed(self) -> bool:
        """Tell whether this version could not be read because it is being written."""
        return False

    def next(self) -> "Request | None":
        """Return what to ingest when this version was replaced meanwhile; None if somebody else will ask for it."""
        return None


@dataclass(frozen=True, slots=True)
class FileRequest(Request):
    """A local file, as `find` has found it; its version is the digest of its content.

    A file that grows while it is read counts as far as it was there, up to its last whole line; one that is written anew is
    read anew. New content counts instead of the old if it begins with the old, or with `replaces`.
    """

    find: Callable[[], LocalFile | None]
    file: LocalFile
    force: bool = False
    replaces: bool = False
    tries_left: int = _TRIES

    def delivery(self, _deadline: Deadline) -> Delivery:
        """Return a delivery that only the content decides."""
        return Delivery(
            self.file.bucket,
            self.file.key,
            None,
            force=self.force,
            is_by_beginning=self.file.is_by_beginning,
        )

    def open(self, _deadline: Deadline) -> StoredObject:
        """Return the file."""
        return self.file

    def read(self, delivery: Delivery, log: ReadableLog, chunk_digests: bytes, size: int) -> Delivery:
        """Return a delivery that is current as long as the file has what was read of it."""

        def extends(other_size: int, other_digest: str) -> bool:
            return other_size <= size and begins_with(log, chunk_digests, other_size, other_digest)

        def is_current() -> bool:
            status = self._status()
            if status and self.file.has_grown(status):
                return bool(log.head.compression) or (
                    cut_at_line_end(self.file) == self.file and begins_unchanged(self.file, chunk_digests)
                )
            return status is not None and self.file.is_here(status)

        digest = digest_of(chunk_digests)
        return replace(
            delivery,
            version=digest,
            content_digest=digest,
            content_size=size,
            is_current=is_current,
            extends=None if self.replaces else extends,
        )

    def has_changed(self) -> bool:
        """Tell whether the file has changed since it was found; not for ever."""
        status = self._status()
        return self.tries_left > 1 and not (status and self.file.is_here(status))

    def next(self) -> "FileRequest | None":
        """Return the whole lines that were there, if the file grows, and else what is there now; None if that is nothing.

        A `SourceError` if that happens too often.
        """
        if self.tries_left == 1:
            raise TransientSourceError(f"{self.file.path}: it changed {_TRIES} times while it was read")
        status = self._status()
        file: LocalFile | None = self.file
        if status and self.file.has_grown(status):
            file = cut_at_line_end(self.file)
        if file == self.file:
            file = self.find()
        return replace(self, file=file, tries_left=self.tries_left - 1) if file else None

    def _status(self) -> os.stat_result | None:
        try:
            return os.stat(self.file.path)  # noqa: PTH116 - as a string, it may be that of a descriptor
        except OSError:
            return None


@dataclass(frozen=True, slots=True)
class EventRequest(Request):
    """The version of an S3 object that an event has named; a newer one has an event of its own."""

    client: "S3Client"
    bucket: str
    key: str
    version: str | None
    sequencer: str | None

    def delivery(self, deadline: Deadline) -> Delivery:
        """Return a delivery that is put in order by its sequencer, or by what is current."""

        def is_current() -> bool:
            current = deadline.run_within(partial(current_version, self.client, self.bucket, self.key))
            return _named(current) == version

        version = _named(self.version)
        return Delivery(self.bucket, self.key, version, self.sequencer, is_current=is_current)

    def open(self, deadline: Deadline) -> StoredObject:
        """Head the version."""
        head = partial(S3Object.head, self.client, self.bucket, self.key, self.version)
        return replace(deadline.run_within(head), deadline=deadline)


def _named(version: str | None) -> str | None:
    """Return a version's id, if it has one of its own."""
    return None if version == UNVERSIONED else version


@dataclass(frozen=True, slots=True)
class CurrentVersionRequest(Request):
    """The current version of an S3 object, which no event has named; `log` is what `head` has found."""

    head: Callable[[], S3Object]
    log: S3Object
    force: bool = False
    tries_left: int = _TRIES

    def delivery(self, _deadline: Deadline) -> Delivery:
        """Return a delivery that is current as long as the key is not replaced."""
        log = self.log
        return Delivery(
            log.bucket, log.key, _named(log.version), is_current=self._is_current, force=self.force
        )

    def _is_current(self) -> bool:
        return self.head() == self.log

    def open(self, deadline: Deadline) -> StoredObject:
        """Return what was found."""
        return replace(self.log, deadline=deadline)

    def next(self) -> "CurrentVersionRequest":
        """Head the version that has replaced this one; a `SourceError` if that happens too often."""
        if self.tries_left == 1:
            source = source_of(self.log.bucket, self.log.key)
            raise SourceError(f"{source}: it was replaced {_TRIES} times while it was read")
        return replace(self, log=self.head(), tries_left=self.tries_left - 1)
