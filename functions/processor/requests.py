"""What is to be ingested: a file, the version that an S3 event names, or the current version of a key."""

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
        """Find the object; its bytes are waited for no longer than the deadline.

        Raises
        ------
        SourceError
            If it cannot be read.
        """

    def with_digest(self, delivery: Delivery, digest: str) -> Delivery:
        """Return the delivery of what has been read."""

    def next(self) -> "Request | None":
        """Return what to ingest when this version was replaced meanwhile; None if somebody else will ask for it."""


@dataclass(frozen=True, slots=True)
class FileRequest:
    """A local file; its version is the digest of its content."""

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

    def with_digest(self, delivery: Delivery, digest: str) -> Delivery:
        """Let the digest be the version, too."""
        return replace(delivery, version=digest, content_digest=digest)

    def next(self) -> None:
        """Return nothing: a file that changes is an error."""


@dataclass(frozen=True, slots=True)
class EventRequest:
    """The version of an S3 object that an event has named; version and sequencer are the event's."""

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

    def with_digest(self, delivery: Delivery, digest: str) -> Delivery:
        """Add the digest."""
        return replace(delivery, content_digest=digest)

    def next(self) -> None:
        """Return nothing: the newer version has an event of its own."""


def _named(version: str | None) -> str | None:
    """Return a version's id, if it has one of its own."""
    return None if version == UNVERSIONED else version


@dataclass(frozen=True, slots=True)
class CurrentVersionRequest:
    """The current version of an S3 object, which no event has named.

    Attributes
    ----------
    head
        Heads the current version.
    log
        What it has found.
    """

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

    def with_digest(self, delivery: Delivery, digest: str) -> Delivery:
        """Add the digest."""
        return replace(delivery, content_digest=digest)

    def next(self) -> "CurrentVersionRequest":
        """Head the version that has replaced this one.

        Raises
        ------
        SourceError
            If the object is replaced faster than it can be read.
        """
        if self.tries_left == 1:
            source = source_of(self.log.bucket, self.log.key)
            raise SourceError(f"{source}: it was replaced {_TRIES} times while it was read")
        return replace(self, log=self.head(), tries_left=self.tries_left - 1)
