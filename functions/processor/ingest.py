"""Ingest one log object: read, stage, commit."""

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Protocol

import sqlalchemy as sa
from blake3 import blake3
from sqlalchemy.orm import Session

from logstats.models import AttemptPart, LogObject
from processor import attempts
from processor.commit import Content, commit, ignore, settle_without_reading
from processor.ledger import Delivery, Outcome, SupersededError
from processor.merge import IntegrityError
from processor.monitor import Progress
from processor.objects import LocalFile, S3Object, SourceError, is_log
from processor.rejects import RejectStore, encode, rejected_lines
from processor.staging import Running, stage, usable_cores

Log = LocalFile | S3Object


class Cluster(Protocol):
    """Runs the dataflow of an attempt in several processes."""

    def stage(self, log: Log, attempt_id: int) -> int:
        """Stage all contributions, and return the number of byte ranges that must have reported.

        Raises
        ------
        Exception
            If a process failed.
        """


_TRIES = 5


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What came of a log object. `seconds` runs from opening the source to the commit."""

    source: str
    outcome: str
    lines: int
    accepted: int
    rejected: int
    rejected_by_reason: dict[str, int]
    customer_days: int
    seconds: float

    def as_dict(self) -> dict[str, object]:
        """Return the fields in their order."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Ingestor:
    """Ingests log objects into one database.

    Attributes
    ----------
    engine
        Must allow as many connections as there are workers, and two more.
    rejects
        Where rejected lines are kept.
    wait_for_system_duration
        See `processor.flow.build_flow`.
    workers
        Worker threads; by default the usable cores.
    progress
        Called with the number of bytes just read.
    cluster
        Runs the dataflow in other processes; by default it runs in this one.
    """

    engine: sa.Engine
    rejects: RejectStore
    wait_for_system_duration: dt.timedelta = dt.timedelta.max
    workers: int | None = None
    progress: Progress = lambda _: None
    cluster: "Cluster | None" = None

    def ingest_file(self, file: LocalFile) -> IngestSummary:
        """Ingest a local file; its version is the digest of its content."""

        def is_current() -> bool:
            file.check_unchanged()
            return True

        return self._ingest(
            file,
            lambda digest: Delivery(
                file.bucket, file.key, digest, content_digest=digest, is_current=is_current
            ),
        )

    def ingest_event(self, log: S3Object, sequencer: str | None) -> IngestSummary:
        """Ingest the version of an S3 object that an event has named."""

        def is_current() -> bool:
            return S3Object.head(log.client, log.bucket, log.key).version == log.version

        delivery = Delivery(log.bucket, log.key, log.version, sequencer, is_current=is_current)
        return self._ingest(log, partial(_with_digest, delivery))

    def ingest_current(self, look: Callable[[], S3Object]) -> IngestSummary:
        """Ingest the current version of an S3 object, which no event has named.

        Raises
        ------
        SourceError
            If the object is replaced faster than it can be read.
        """
        log = look()
        for _ in range(_TRIES):
            delivery = Delivery(log.bucket, log.key, log.version, is_current=partial(_is_same, look, log))
            try:
                return self._ingest(log, partial(_with_digest, delivery))
            except SupersededError:
                log = look()
        raise SourceError(f"{_source(log)}: it was replaced {_TRIES} times while it was read")

    def _ingest(self, log: Log, delivery_of: Callable[[str | None], Delivery]) -> IngestSummary:
        started = time.monotonic()
        known = delivery_of(None)
        if not is_log(log.key):
            return _summarise(log, ignore(self.engine, known, log.size), started)
        if row := settle_without_reading(self.engine, known):
            return _summarise(log, row, started)
        with self.engine.connect() as connection:
            attempts.collect_abandoned(connection)
            attempt_id = attempts.begin(connection, log.bucket, log.key)
            try:
                parts = self._stage(log, attempt_id)
                digest = blake3(b"".join(part.digests for part in parts)).hexdigest()
                content = self._content(log, parts, digest, started)
                row = commit(connection, delivery_of(digest), attempt_id, content)
            except BaseException:
                connection.rollback()
                raise
            finally:
                attempts.end(connection, attempt_id)
        return _summarise(log, row, started)

    def _stage(self, log: Log, attempt_id: int) -> list[AttemptPart]:
        """Run the dataflow; return the reports of all byte ranges, in order."""
        if self.cluster:
            ranges = self.cluster.stage(log, attempt_id)
        else:
            workers = self.workers or usable_cores()
            running = Running(workers, self.wait_for_system_duration, self.progress)
            ranges = stage(self.engine, log, attempt_id, running)
        with Session(self.engine) as session:
            staged = sa.select(AttemptPart).where(AttemptPart.attempt_id == attempt_id)
            parts = list(session.scalars(staged.order_by(AttemptPart.part)))
        if [part.part for part in parts] != list(range(ranges)):
            raise IntegrityError(f"of {ranges} byte ranges, {len(parts)} have reported")
        return parts

    def _content(self, log: Log, parts: list[AttemptPart], digest: str, started: float) -> Content:
        reasons: Counter[str] = Counter()
        for part in parts:
            reasons.update(part.rejected_by_reason)
        uri = None
        if reasons:
            name = f"{log.bucket}/{log.key.lstrip('/')}/{digest}.jsonl"
            uri = self.rejects.put(name, encode(rejected_lines(parts)))
        accepted = sum(part.accepted for part in parts)
        return Content(log.size, accepted, dict(sorted(reasons.items())), uri, started)


def _with_digest(delivery: Delivery, digest: str | None) -> Delivery:
    return replace(delivery, content_digest=digest)


def _is_same(look: Callable[[], S3Object], log: S3Object) -> bool:
    return look() == log


def _source(log: Log) -> str:
    return log.key if isinstance(log, LocalFile) else f"s3://{log.bucket}/{log.key}"


def _summarise(log: Log, row: LogObject, started: float) -> IngestSummary:
    known = row.outcome in (Outcome.INGESTED, Outcome.REPLACED, Outcome.UNCHANGED)
    return IngestSummary(
        source=_source(log),
        outcome=str(row.outcome),
        lines=row.lines if known else 0,
        accepted=row.accepted if known else 0,
        rejected=row.rejected if known else 0,
        rejected_by_reason=row.rejected_by_reason if known else {},
        customer_days=row.customer_days if known else 0,
        seconds=round(time.monotonic() - started, 6),
    )
