"""Ingest one log object: read, stage, commit."""

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial
from secrets import token_hex

import sqlalchemy as sa
from blake3 import blake3

from logstats.models import LogObject
from logstats.native import EVERYTHING, Kept
from processor import reconnection
from processor.capacity import check_size
from processor.context import Context
from processor.dataflow.report import ColumnsChangedError, PartReport, check_columns
from processor.dataflow.source import Progress
from processor.dataflow.staging import Running, stage, usable_cores
from processor.deadline import Deadline
from processor.ingest_summary import IngestSummary, summarise
from processor.ledger import attempts
from processor.ledger.commit import Content, commit, decide_unread
from processor.ledger.delivery import Outcome, SupersededError, Withdrawal
from processor.ledger.withdrawal import ignore, withdraw
from processor.reading.head import read_head
from processor.reading.objects import LocalFile
from processor.reading.readable import ReadableLog, recognise
from processor.reading.rules import FormatRule
from processor.reading.s3 import S3Object
from processor.reject_stores import LocalRejectStore, S3RejectStore, encode, rejected_lines
from processor.requests import CurrentVersionRequest, FileRequest, Request
from processor.settings import IGNORED_KEYS

Cluster = Callable[[ReadableLog, int], list[PartReport]]
"""Stages all contributions to an attempt, in several processes; returns the reports of all byte ranges, in order."""


@dataclass(frozen=True, slots=True)
class Ingestor:
    """Ingests log objects into one database, and withdraws them.

    The engine must allow two connections, and one more for each worker that holds much (`processor.dataflow.sink`). There
    are as many `workers` as usable cores by default; a `cluster` runs the dataflow in other processes. `progress` is called
    with the number of bytes just read. With `force`, files and current versions, but not those of events, are read again
    though they count already: their contributions are replaced by what this code makes of them. The `formats` say how to read
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
    formats: Sequence[FormatRule] = ()
    ignore: Sequence[str] = IGNORED_KEYS
    kept: Kept = EVERYTHING

    def ingest_file(self, file: LocalFile, context: Context | None = None) -> IngestSummary:
        """Ingest a local file; its version is the digest of its content."""
        return self.ingest(FileRequest(file, self.force), context)

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
            if following is None:
                delivery = request.delivery(context.deadline)
                return summarise(delivery, LogObject(outcome=Outcome.STALE), time.monotonic())
            request = following

    def _ingest(self, request: Request, context: Context, engine: sa.Engine) -> IngestSummary:
        """Read, stage and commit, unless the ledger knows what comes of it without reading."""
        started, deadline = time.monotonic(), context.deadline
        delivery = request.delivery(deadline)
        if row := decide_unread(engine, delivery):
            return summarise(delivery, row, started)

        stored = request.open(deadline)
        if any(fnmatchcase(stored.key, pattern) for pattern in self.ignore):
            row = ignore(engine, delivery, stored.size, self.rejects)
            return summarise(delivery, row, started)
        log = recognise(stored, read_head(stored), self.formats)
        context.first_line = log.head.first_line
        check_size(log, self.workers or usable_cores(), deadline)
        with engine.connect() as connection:
            attempts.garbage_collect(connection, self.rejects)
            with attempts.attempt(connection, log.bucket, log.key, self.rejects) as attempt_id:
                context.size_bytes, parsing = log.size, time.monotonic()
                if self.cluster and log.rule:
                    reports = self.cluster(log, attempt_id)
                else:
                    reports = stage(engine, log, attempt_id, self._running(deadline), connection)
                check_columns(reports, log.columns)
                context.parse_seconds = time.monotonic() - parsing
                digest = blake3(b"".join(report.digests for report in reports)).hexdigest()

                rejects_uri = None
                if kept := encode(rejected_lines(reports)):
                    # Not after the key, which may be long or lead elsewhere; other databases have the same ids.
                    name = f"{attempt_id}-{token_hex(8)}.jsonl"
                    rejects_uri = self.rejects.uri(name)
                    attempts.note_rejects(connection, attempt_id, rejects_uri)
                    put = partial(self.rejects.put, name, kept)
                    deadline.run_within(put, partial(self.rejects.delete, rejects_uri))

                deadline.check()
                content = _content(log, reports, rejects_uri, started)
                version = digest if isinstance(stored, LocalFile) else delivery.version
                read = replace(delivery, version=version, content_digest=digest)
                committing = time.monotonic()
                row = commit(connection, read, attempt_id, content, self.rejects)
                context.commit_seconds = time.monotonic() - committing
        return summarise(delivery, row, started)

    def _running(self, deadline: Deadline) -> Running:
        """Return how the dataflow runs here: between two chunks it tells the progress, and stops if the time is up."""

        def read(count: int) -> None:
            self.progress(count)
            deadline.check()

        return Running(self.workers or usable_cores(), self.wait_for_system_duration, read, self.kept)


def _content(
    log: ReadableLog, reports: Sequence[PartReport], rejects_uri: str | None, started: float
) -> Content:
    reasons: Counter[str] = Counter()
    for report in reports:
        reasons.update(report.rejected_by_reason)
    accepted = sum(report.accepted for report in reports)
    skipped = sum(report.skipped for report in reports)
    name = log.rule.format if log.rule else None
    return Content(log.size, name, accepted, skipped, dict(sorted(reasons.items())), rejects_uri, started)
