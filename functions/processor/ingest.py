"""Ingest one log object: read, stage, commit."""

import datetime as dt
import logging
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

import psycopg
import sqlalchemy as sa
from blake3 import blake3
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from logstats.models import AttemptPart, LogObject
from processor.dataflow.monitor import Progress
from processor.dataflow.staging import Running, stage, usable_cores
from processor.deadline import Deadline
from processor.ledger import attempts
from processor.ledger.commit import Content, commit, ignore, settle_without_reading, withdraw
from processor.ledger.connection import ended_at, is_lost
from processor.ledger.delivery import Delivery, Outcome, SupersededError, Withdrawal
from processor.ledger.merge import IntegrityError
from processor.ledger.rejects import RejectStore, delete, encode, rejected_lines
from processor.measurements import Measurements
from processor.reading.objects import LocalFile, SourceError, is_log, source_of
from processor.reading.s3 import S3Object, current_version

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Log = LocalFile | S3Object
T = TypeVar("T")

logger = logging.getLogger(__name__)

_TRIES = 5
_PAUSES = (0.5, 2.0, 5.0)
"""Seconds between tries after a lost connection: a restart of PostgreSQL takes less, a fail-over may not."""


class Cluster(Protocol):
    """Runs the dataflow of an attempt in several processes."""

    def stage(self, log: Log, attempt_id: int) -> int:
        """Stage all contributions, and return the number of byte ranges that must have reported.

        Raises
        ------
        Exception
            If a process failed.
        """


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What came of a log object.

    Attributes
    ----------
    lines
        Accepted and rejected.
    seconds
        From opening the source to the commit.
    expired
        Accepted lines that do not count: their days were closed (see docs/decisions/0007).
    """

    source: str
    outcome: str
    lines: int
    accepted: int
    rejected: int
    rejected_by_reason: dict[str, int]
    customer_days: int
    seconds: float
    expired: int

    def as_dict(self) -> dict[str, object]:
        """Return the fields in their order."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Ingestor:
    """Ingests log objects into one database, and withdraws them.

    Attributes
    ----------
    engine
        Must allow two connections, and one more for each worker that holds much (`processor.dataflow.sink`).
    rejects
        Where rejected lines are kept.
    wait_for_system_duration
        See `processor.dataflow.flow.build_flow`.
    workers
        Worker threads; by default the usable cores.
    progress
        Called with the number of bytes just read.
    cluster
        Runs the dataflow in other processes; by default it runs in this one.
    deadline
        When the caller will be cut off; None if never.
    measurements
        Takes what the next ingest costs; a caller that wants it gives a new one for each.
    again
        Whether files and current versions are read again though they count already: their contributions are replaced
        by what this code makes of them. Events are not.
    """

    engine: sa.Engine
    rejects: RejectStore
    wait_for_system_duration: dt.timedelta = dt.timedelta.max
    workers: int | None = None
    progress: Progress = lambda _: None
    cluster: Cluster | None = None
    deadline: Deadline | None = None
    measurements: Measurements = field(default_factory=Measurements)
    again: bool = False

    def ingest_file(self, file: LocalFile) -> IngestSummary:
        """Ingest a local file; its version is the digest of its content."""

        def is_current() -> bool:
            file.check_unchanged()
            return True

        known = Delivery(file.bucket, file.key, None, is_current=is_current, again=self.again)
        return self._ingest(
            known, lambda: file, lambda digest: replace(known, version=digest, content_digest=digest)
        )

    def ingest_event(
        self, client: "S3Client", bucket: str, key: str, version: str | None, sequencer: str | None
    ) -> IngestSummary:
        """Ingest the version of an S3 object that an event has named.

        Parameters
        ----------
        version, sequencer
            Those of the event; None in an unversioned bucket.

        Raises
        ------
        SourceError
            If the object cannot be read.
        """

        def is_current() -> bool:
            return self._bound(partial(current_version, client, bucket, key)) == version

        known = Delivery(bucket, key, version, sequencer, is_current=is_current)
        try:
            return self._ingest(
                known, partial(S3Object.head, client, bucket, key, version), partial(_with_digest, known)
            )
        except SupersededError:  # without a sequencer, only the current version can be put in order
            return _summarise(known, LogObject(outcome=Outcome.STALE), time.monotonic())

    def ingest_current(self, look: Callable[[], S3Object]) -> IngestSummary:
        """Ingest the current version of an S3 object, which no event has named.

        Raises
        ------
        SourceError
            If the object is replaced faster than it can be read.
        """
        log = look()
        for _ in range(_TRIES):
            is_current = partial(_is_same, look, log)
            known = Delivery(log.bucket, log.key, log.version, is_current=is_current, again=self.again)
            try:
                return self._ingest(known, partial(_it, log), partial(_with_digest, known))
            except SupersededError:
                log = look()
        raise SourceError(
            f"{source_of(log.bucket, log.key)}: it was replaced {_TRIES} times while it was read"
        )

    def withdraw(self, withdrawal: Withdrawal) -> IngestSummary:
        """Take a log object out of the statistics, and leave a tombstone in the ledger."""
        current = replace(withdrawal, is_current=partial(self._bound, withdrawal.is_current))

        def once(ingestor: Ingestor) -> IngestSummary:
            started = time.monotonic()
            return _summarise(withdrawal, withdraw(ingestor.engine, current), started)

        return self._again(once)

    @contextmanager
    def _in_time(self) -> Iterator["Ingestor"]:
        """Yield an ingestor that waits for the database no longer than the time lasts."""
        if self.deadline is None:
            yield self
            return
        try:
            with ended_at(self.engine, self.deadline.at) as engine:
                yield replace(self, engine=engine)
        except (DBAPIError, psycopg.OperationalError):
            self.deadline.check()
            raise

    def _bound(self, call: Callable[[], T], undo: Callable[[], object] = lambda: None) -> T:
        """Wait for S3 no longer than the time lasts."""
        return self.deadline.bound(call, undo) if self.deadline else call()

    def _ingest(
        self, known: Delivery, look: Callable[[], Log], delivery_of: Callable[[str | None], Delivery]
    ) -> IngestSummary:
        return self._again(lambda ingestor: ingestor._ingest_once(known, look, delivery_of))  # noqa: SLF001

    def _again(self, once: Callable[["Ingestor"], IngestSummary]) -> IngestSummary:
        """Try again when the connection to the database is lost; a COMMIT without an answer is never guessed.

        Each try starts from the ledger, so one that follows a commit finds it there.
        """
        with self._in_time() as ingestor:
            return ingestor._retry(partial(once, ingestor))  # noqa: SLF001 - its own

    def _retry(self, once: Callable[[], IngestSummary]) -> IngestSummary:
        for pause in (*_PAUSES, None):
            try:
                return once()
            except (DBAPIError, psycopg.OperationalError, attempts.LostAttemptError) as error:
                lost = isinstance(error, attempts.LostAttemptError) or is_lost(error)
                if not lost or pause is None or self._is_late(pause):
                    raise
                self.measurements.lost_connections += 1
                logger.warning("The database connection was lost; trying again in %s s", pause)
                time.sleep(pause)
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _ingest_once(
        self, known: Delivery, look: Callable[[], Log], delivery_of: Callable[[str | None], Delivery]
    ) -> IngestSummary:
        started = time.monotonic()
        if not is_log(known.key):
            return _summarise(known, ignore(self.engine, known, self._bound(look).size), started)
        if row := settle_without_reading(self.engine, known):
            return _summarise(known, row, started)
        log = self._bound(look)
        if self.deadline:
            log = replace(log, deadline=self.deadline) if isinstance(log, S3Object) else log
            self.deadline.check_size(log, self.workers or usable_cores())
        with self.engine.connect() as connection:
            attempts.collect_abandoned(connection)
            with attempts.attempt(connection, log.bucket, log.key) as attempt_id:
                with self.measurements.parsing(log.size):
                    parts = self._stage(connection, log, attempt_id)
                digest = blake3(b"".join(part.digests for part in parts)).hexdigest()
                uri = self._keep_rejects(connection, log, attempt_id, parts)
                content = _content(log, parts, uri, started)
                if self.deadline:
                    self.deadline.check()
                with self.measurements.committing():
                    row = commit(connection, delivery_of(digest), attempt_id, content)
        return _summarise(known, row, started)

    def _is_late(self, pause: float) -> bool:
        return self.deadline is not None and time.monotonic() + pause > self.deadline.at

    def _read(self, count: int) -> None:
        """Between two chunks: report the progress, and stop if the time is up."""
        self.progress(count)
        if self.deadline:
            self.deadline.check()

    def _stage(self, connection: sa.Connection, log: Log, attempt_id: int) -> list[AttemptPart]:
        """Run the dataflow; return the reports of all byte ranges, in order."""
        if self.cluster:
            ranges = self.cluster.stage(log, attempt_id)
        else:
            running = Running(self.workers or usable_cores(), self.wait_for_system_duration, self._read)
            ranges = stage(self.engine, log, attempt_id, running, connection)
        with Session(connection) as session:
            staged = sa.select(AttemptPart).where(AttemptPart.attempt_id == attempt_id)
            parts = list(session.scalars(staged.order_by(AttemptPart.part)))
        if [part.part for part in parts] != list(range(ranges)):
            raise IntegrityError(f"of {ranges} byte ranges, {len(parts)} have reported")
        return parts

    def _keep_rejects(
        self, connection: sa.Connection, log: Log, attempt_id: int, parts: list[AttemptPart]
    ) -> str | None:
        """Keep the rejected lines, if there are any, under a name that is the attempt's own."""
        if not any(part.rejected_by_reason for part in parts):
            return None
        name = f"{log.bucket}/{log.key.lstrip('/')}/{attempt_id}.jsonl"
        uri = self.rejects.uri(name)
        attempts.note_rejects(connection, attempt_id, uri)
        kept = encode(rejected_lines(parts))
        self._bound(partial(self.rejects.put, name, kept), partial(delete, uri))
        return uri


def _content(log: Log, parts: list[AttemptPart], rejects_uri: str | None, started: float) -> Content:
    reasons: Counter[str] = Counter()
    for part in parts:
        reasons.update(part.rejected_by_reason)
    accepted = sum(part.accepted for part in parts)
    return Content(log.size, accepted, dict(sorted(reasons.items())), rejects_uri, started)


def _with_digest(delivery: Delivery, digest: str | None) -> Delivery:
    return replace(delivery, content_digest=digest)


def _is_same(look: Callable[[], S3Object], log: S3Object) -> bool:
    return look() == log


def _it(log: Log) -> Log:
    return log


def _summarise(request: Delivery | Withdrawal, row: LogObject, started: float) -> IngestSummary:
    known = row.outcome in (Outcome.INGESTED, Outcome.REPLACED, Outcome.UNCHANGED)
    return IngestSummary(
        source=source_of(request.bucket, request.key),
        outcome=str(row.outcome),
        lines=row.lines if known else 0,
        accepted=row.accepted if known else 0,
        rejected=row.rejected if known else 0,
        rejected_by_reason=row.rejected_by_reason if known else {},
        customer_days=row.customer_days if known else 0,
        seconds=round(time.monotonic() - started, 6),
        expired=row.expired if known else 0,
    )
