"""Ingest one log object: read, stage, commit.

One module, though long: the way of a log object is read here from top to bottom.
"""

import datetime as dt
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from logstats.models import LogObject
from logstats.native import EVERYTHING, Kept
from processor import reconnection
from processor.capacity import check_size
from processor.context import Context
from processor.dataflow.report import ColumnsChangedError, PartReport, check_columns
from processor.dataflow.source import Progress
from processor.dataflow.staging import Running, stage, usable_cores
from processor.deadline import Deadline
from processor.ingest_summary import IngestSummary, content_of, summarise
from processor.ledger import attempts
from processor.ledger.commit import Staged, commit, decide_unread
from processor.ledger.delivery import Delivery, Outcome, SupersededError, Withdrawal
from processor.ledger.duplicates import find_same_content
from processor.ledger.transaction import read_row
from processor.ledger.withdrawal import ignore, withdraw
from processor.reading.content import digest_chunks
from processor.reading.head import read_head
from processor.reading.objects import LocalFile, SourceError, StoredObject
from processor.reading.readable import ReadableLog, recognise
from processor.reading.rotation import known_by_beginning
from processor.reading.rules import FormatRule
from processor.reading.s3 import S3Object
from processor.reject_stores import LocalRejectStore, S3RejectStore, keep, reject_store
from processor.requests import CurrentVersionRequest, FileRequest, Request
from processor.settings import IGNORED_KEYS, ProcessorSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

Cluster = Callable[[ReadableLog, int], list[PartReport]]
"""Stages all contributions to an attempt, in several processes; returns the reports of all byte ranges, in order."""


@dataclass(frozen=True, slots=True)
class Opened:
    """Hold a log object that is about to be read: who asks for it, how it is read, and when it was opened."""

    request: Request
    delivery: Delivery
    log: ReadableLog
    context: Context
    started: float


def _read(opened: Opened, attempt_id: int, reports: Sequence[PartReport], rejects_uri: str | None) -> Staged:
    """Return what was read of a log object, as the commit needs it."""
    content = content_of(opened.log, reports, rejects_uri, opened.started)
    digests = b"".join(report.digests for report in reports)
    delivery = opened.request.read(opened.delivery, opened.log, digests, content.size_bytes)
    return Staged(delivery, attempt_id, content)


@dataclass(frozen=True, slots=True)
class Ingestor:
    """Ingests log objects into one database, and withdraws them.

    The engine must allow two connections, and one more for each worker that holds much (`processor.dataflow.sink`). There
    are as many `workers` as usable cores by default; a `cluster` runs the dataflow in other processes. `progress` is called
    with the number of bytes just read. With `force`, files and current versions, but not those of events, are read again
    though they count already: their contributions are replaced by what this code makes of them. With `replaces`, new content
    of a file counts instead of the old also where it does not begin with it. The `formats` say how to read
    log objects, and the content where they do not; keys that match a pattern of `ignore` are none. `kept` says what of a
    customer's day is broken down.
    """

    engine: sa.Engine
    rejects: LocalRejectStore | S3RejectStore
    wait_for_system_duration: dt.timedelta = dt.timedelta.max
    workers: int | None = None
    progress: Progress = lambda _: None
    cluster: Cluster | None = None
    force: bool = False
    replaces: bool = False
    formats: Sequence[FormatRule] = ()
    ignore: Sequence[str] = IGNORED_KEYS
    kept: Kept = EVERYTHING

    @classmethod
    def configured(
        cls, settings: ProcessorSettings, engine: sa.Engine, client: "Callable[[], S3Client]"
    ) -> "Ingestor":
        """Return one that does what the settings say; a client is made only where rejected lines go to a bucket."""
        return cls(
            engine,
            reject_store(settings, client),
            settings.wait_for_system_duration,
            formats=settings.log_formats,
            ignore=settings.ignore,
            kept=settings.kept,
        )

    def ingest_file(self, file: LocalFile, context: Context | None = None) -> IngestSummary:
        """Ingest a local file; its version is the digest of its content."""
        return self.ingest(self.file_request(file), context)

    def file_request(self, file: LocalFile) -> FileRequest:
        """Return the request to ingest a local file."""
        return FileRequest(partial(LocalFile.at, Path(file.path), file.key), file, self.force, self.replaces)

    def ingest_rotated(
        self, find: Callable[[], LocalFile], name: str | None = None, context: Context | None = None
    ) -> IngestSummary:
        """Ingest a file that is known by how it begins, whatever it is called now; one without a beginning is `unchanged`.

        A `name` stands for its folder and its name without what a rotation adds.
        """
        file = find()
        if self.ignores(file.key):
            return self.ingest_file(file, context)

        def find_known() -> LocalFile | None:
            return known_by_beginning(find(), name, self.formats)

        known = known_by_beginning(file, name, self.formats)
        if known is None:
            return IngestSummary(file.key, Outcome.UNCHANGED)
        return self.ingest(FileRequest(find_known, known, self.force, self.replaces), context)

    def ingest_current(self, head: Callable[[], S3Object], context: Context | None = None) -> IngestSummary:
        """Ingest the current version of an S3 object, which no event has named."""
        return self.ingest(CurrentVersionRequest(head, head(), self.force), context)

    def withdraw(self, withdrawal: Withdrawal, context: Context | None = None) -> IngestSummary:
        """Take a log object out of the statistics, and leave a tombstone in the ledger."""
        context, started = context or Context(), time.monotonic()
        is_current = partial(context.deadline.run_within, withdrawal.is_current)
        bounded = replace(withdrawal, is_current=is_current)
        row = reconnection.run(lambda engine: withdraw(engine, bounded, self.rejects), self.engine, context)
        return summarise(withdrawal, row, started)

    def ingest(self, request: Request, context: Context | None = None) -> IngestSummary:
        """Ingest what is requested; when it is replaced meanwhile, what the request says comes next.

        A `SourceError` if the object cannot be read, a `DeadlineError` if the time is up first.
        """
        context = context or Context()
        while True:
            try:
                return reconnection.run(partial(self._ingest, request, context), self.engine, context)
            except ColumnsChangedError:  # rare, and then one range reads it all
                return replace(self, workers=1, cluster=None).ingest(request, context)
            except SupersededError:
                following = request.next()
            except SourceError:
                if not request.has_changed():
                    raise
                following = request.next()
            if following is None:
                delivery = request.delivery(context.deadline)
                return summarise(delivery, LogObject(outcome=Outcome.STALE), time.monotonic())
            request = following

    def _ingest(self, request: Request, context: Context, engine: sa.Engine) -> IngestSummary:
        """Read, stage and commit, unless the ledger knows what comes of it without reading."""
        started, deadline = time.monotonic(), context.deadline
        delivery = request.delivery(deadline)
        if row := decide_unread(engine, delivery):
            with engine.connect() as connection:
                (same,) = find_same_content(connection, [row])
                return summarise(delivery, row, started, same)

        stored = request.open(deadline)
        if self.ignores(stored.key):
            row = ignore(engine, delivery, stored.size, self.rejects)
            return summarise(delivery, row, started)
        opened = self.open(request, delivery, stored, context)
        check_size(opened.log, self.workers or usable_cores(), deadline)
        with engine.connect() as connection:
            row = None
            if isinstance(stored, LocalFile):
                row = self._decide_unparsed(connection, request, delivery, opened.log)
                context.is_by_beginning = stored.is_by_beginning
            (row,) = [row] if row else self.count(engine, connection, [opened], deadline)
            context.counts_since = row.committed_at
            (same,) = find_same_content(connection, [row])
            return summarise(delivery, row, started, same)

    def open(self, request: Request, delivery: Delivery, stored: StoredObject, context: Context) -> Opened:
        """Read how a log object begins, and recognise its format; a `SourceError` if it cannot be read."""
        started = time.monotonic()
        log = recognise(stored, read_head(stored), self.formats)
        context.first_line = log.head.first_line
        return Opened(request, delivery, log, context, started)

    def _decide_unparsed(
        self, connection: sa.Connection, request: Request, delivery: Delivery, log: ReadableLog
    ) -> LogObject | None:
        """Decide a file that has not grown since it counted by its digest, which costs less than its lines."""
        row = read_row(connection, delivery)
        if row is None or row.attempt_id is None or self.force:
            return None
        if not log.is_content_decompressed and log.size > (row.size_bytes or 0):
            return None
        return decide_unread(connection, request.read(delivery, log, *digest_chunks(log)))

    def count(
        self, engine: sa.Engine, connection: sa.Connection, opened: Sequence[Opened], deadline: Deadline
    ) -> list[LogObject]:
        """Read the lines of a log object, or several small ones, stage what they come to, and commit it all at once."""
        attempts.garbage_collect(connection, self.rejects)
        names = [(each.log.bucket, each.log.key) for each in opened]
        with attempts.begun(connection, names, self.rejects) as ids:
            parsing = time.monotonic()
            reports = dict(zip(ids, self._stage(engine, connection, ids, opened, deadline), strict=True))
            committing = time.monotonic()
            rejects_uris = keep(self.rejects, connection, reports, deadline)
            deadline.check()
            staged = [
                _read(each, attempt_id, reports[attempt_id], rejects_uris.get(attempt_id))
                for attempt_id, each in zip(ids, opened, strict=True)
            ]
            rows = commit(connection, staged, self.rejects)
            for each in opened:
                each.context.size_bytes, each.context.parse_seconds = each.log.size, committing - parsing
                each.context.commit_seconds = time.monotonic() - committing
        return rows

    def _stage(
        self,
        engine: sa.Engine,
        connection: sa.Connection,
        ids: Sequence[int],
        opened: Sequence[Opened],
        deadline: Deadline,
    ) -> list[list[PartReport]]:
        log = opened[0].log
        if self.cluster and log.rule and not log.is_content_decompressed:
            reports = [self.cluster(log, ids[0])]
        else:
            logs = dict(zip(ids, (each.log for each in opened), strict=True))
            reports = stage(engine, logs, self._running(deadline), connection)
        for each, its in zip(opened, reports, strict=True):
            check_columns(its, each.log.columns)
        return reports

    def ignores(self, key: str) -> bool:
        """Tell whether a key is that of no log object."""
        return any(fnmatchcase(key, pattern) for pattern in self.ignore)

    def _running(self, deadline: Deadline) -> Running:
        """Return how the dataflow runs here: between two chunks it tells the progress, and stops if the time is up."""

        def read(count: int) -> None:
            self.progress(count)
            deadline.check()

        return Running(self.workers or usable_cores(), self.wait_for_system_duration, read, self.kept)
