"""Ingest small log objects together: one run of the dataflow and one commit for all of them.

An object costs about as much as ten thousand of its lines: a round trip for each statement, a flow, a commit that waits for
the disk. A group pays that once. Only what is ordinary is done here: objects that the ledger does not know. Whatever is
unusual, with one object or all, is left to `Ingestor.ingest`, one by one, which also says what is wrong.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats.models import LogObject
from processor import reconnection
from processor.context import Context
from processor.dataflow.report import ColumnsChangedError
from processor.deadline import NEVER
from processor.ingest import Ingestor, Opened
from processor.ingest_summary import IngestSummary, summarise
from processor.ledger.change import IntegrityError
from processor.ledger.commit import THREADS
from processor.ledger.delivery import SupersededError
from processor.ledger.duplicates import find_same_content
from processor.ledger.horizon import SealedError
from processor.ledger.transaction import find_rows
from processor.reading.objects import SourceError
from processor.requests import Request

MOST_OBJECTS = 64
"""In a group: with more, the fixed cost is a small part already, and whoever stops the run waits for the group at hand."""
MOST_BYTES = 8 << 20
"""In a group, which is in memory."""
LARGEST_BYTES = 1 << 20
"""An object in a group: a larger one costs more than what a group saves, and its lines are divided among workers."""

_UNUSUAL = (SourceError, SupersededError, SealedError, IntegrityError, ColumnsChangedError)


@dataclass(frozen=True, slots=True)
class Candidate:
    """Name a small log object, as the ledger may know it, and how it is asked for; that reads it, if it is on S3."""

    bucket: str
    key: str
    request: Callable[[], Request]


def ingest_group(
    ingestor: Ingestor, candidates: Sequence[Candidate], contexts: Sequence[Context]
) -> list[IngestSummary | None]:
    """Ingest small log objects, and return their summaries; None for each that must be ingested by itself.

    A `SourceError` if the ingestor's progress ends it.
    """
    return reconnection.run(partial(_ingest, ingestor, candidates, contexts), ingestor.engine, Context())


def _ingest(
    ingestor: Ingestor, candidates: Sequence[Candidate], contexts: Sequence[Context], engine: sa.Engine
) -> list[IngestSummary | None]:
    summaries: list[IngestSummary | None] = [None] * len(candidates)
    with engine.connect() as connection:
        chosen = _choose(ingestor, candidates, connection)
        found = THREADS.map(lambda number: _open(ingestor, candidates[number], contexts[number]), chosen)
        opened = {number: each for number, each in zip(chosen, found, strict=True) if each}
        if not opened:
            return summaries
        rows = dict(zip(opened, _count(ingestor, engine, connection, list(opened.values())), strict=True))
        counted = {number: row for number, row in rows.items() if row}
        same = find_same_content(connection, list(counted.values()))
    for (number, row), other in zip(counted.items(), same, strict=True):
        each = opened[number]
        each.context.counts_since = row.committed_at
        summaries[number] = summarise(each.delivery, row, each.started, other)
    return summaries


def _choose(ingestor: Ingestor, candidates: Sequence[Candidate], connection: sa.Connection) -> list[int]:
    """Return which candidates are new to the ledger; of one name the first."""
    names = [(candidate.bucket, candidate.key) for candidate in candidates]
    with Session(connection) as session, session.begin():
        seen = set(find_rows(session, names))
    chosen = []
    for number, name in enumerate(names):
        if name not in seen and not ingestor.ignores(name[1]):
            chosen.append(number)
        seen.add(name)
    return chosen


def _count(
    ingestor: Ingestor, engine: sa.Engine, connection: sa.Connection, opened: list[Opened]
) -> list[LogObject | None]:
    """Let objects count; where something is wrong with one, the halves by themselves, so that only that one is left."""
    try:
        return [*ingestor.count(engine, connection, opened, NEVER)]
    except _UNUSUAL:
        if len(opened) == 1:
            return [None]
        ingestor.progress(0)  # raises what ends all, if that is why
        half = len(opened) // 2
        return [
            row
            for part in (opened[:half], opened[half:])
            for row in _count(ingestor, engine, connection, part)
        ]


def _open(ingestor: Ingestor, candidate: Candidate, context: Context) -> Opened | None:
    with suppress(SourceError):
        request = candidate.request()
        return ingestor.open(request, request.delivery(NEVER), request.open(NEVER), context)
    return None
