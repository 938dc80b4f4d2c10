"""Requests to ingest: a file, the version that an S3 event names, or the current version of a key."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol

from processor.deadline import Deadline
from processor.ledger.delivery import UNVERSIONED, Delivery
from processor.reading.objects import LocalFile, SourceError, StoredObject, source_of
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

    def next(self) -> "Request | None":
        """Return what to ingest when this version was replaced meanwhile; None if somebody else will ask for it."""
        return None


@dataclass(frozen=True, slots=True)
class FileRequest(Request):
    """A local file; its version is the digest of its content. One that changes while it is read is an error."""

    file: LocalFile
    force: bool = False

    def delivery(self, _deadline: Deadline) -> Delivery:
        """Return a delivery that is current as long as the file does not change."""

        def is_current() -> bool:
            self.file.check_unchanged()
            return True

        return Delivery(self.file.bucket, self.file.key, None, is_current=is_current, force=self.force)

    def open(self, _deadline: Deadline) -> StoredObject:
        """Return the file."""
        return self.file


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
