"""The commit: one transaction makes an attempt visible, or several, or finds that they must not be.

1. Lock the objects' rows in the ledger; deliveries of one object queue here.
2. Decide, from version, sequencer and content, what each delivery is.
3. Lock the stripes of the touched customers; commits that share customers queue here.
4. Point the ledger at the attempts, merge them into the daily statistics, subtract what they replace; closed days
   take no part, and count as expired; to sealed ones something may be added, and a commit that would have to subtract fails.

A crash before the end leaves everything as it was.
"""

import datetime as dt
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats.models import LogObject
from processor.ledger import attempts
from processor.ledger import change as changes
from processor.ledger.change import Change, IntegrityError
from processor.ledger.delivery import Delivery, Outcome, advance, decide
from processor.ledger.horizon import check_subtractable, ranges_of
from processor.ledger.merge import merge
from processor.ledger.rejects import RejectStore
from processor.ledger.transaction import detach, find_row, in_transaction, lock_rows

THREADS = ThreadPoolExecutor(16, "group")
"""Wait for S3, of all groups together: an answer takes longer than what is done with it, and a client has 32 connections."""


@dataclass(frozen=True, slots=True)
class Content:
    """Hold what an attempt has found in a log object, which had no `format` if none was recognised."""

    size_bytes: int
    format: str | None
    accepted: int
    skipped: int
    rejected_by_reason: dict[str, int]
    rejects_uri: str | None
    started: float
    """`time.monotonic()` when the source was opened."""


def decide_unread(database: sa.Engine | sa.Connection, delivery: Delivery) -> LogObject | None:
    """Decide a delivery that changes nothing: its version or content counts already, or must not count.

    Return as `commit` does; None if the object must be read.
    """
    if delivery.version is None and delivery.sequencer is None:
        return None  # only the content can tell
    with Session(database, expire_on_commit=False) as session, session.begin():
        row = session.scalar(find_row(delivery).with_for_update())
        outcome = decide(row, delivery)
        if row is None or outcome in (None, Outcome.INGESTED, Outcome.REPLACED):
            return None
        if outcome is Outcome.UNCHANGED:
            advance(row, delivery)
        session.flush()
        assert outcome is not None  # noqa: S101 - see above
        return detach(session, row, outcome)


@dataclass(frozen=True, slots=True)
class Staged:
    """A delivery whose content was read, and staged under an attempt."""

    delivery: Delivery
    attempt_id: int
    content: Content


def commit(connection: sa.Connection, staged: Sequence[Staged], rejects: RejectStore) -> list[LogObject]:
    """Make attempts on different objects visible, each if it is the newest; otherwise discard what it staged.

    The connection is the session that began them: were it lost, the attempts would be too. Return a detached copy
    of each ledger row, whose `outcome` is that of the delivery. An error of one is an error of all.
    """
    rows, discarded = in_transaction(connection, lambda session: _commit(session, staged))
    if discarded:
        attempts.garbage_collect(connection, rejects)
    return rows


@dataclass(slots=True)
class _Decided:
    row: LogObject
    staged: Staged
    outcome: Outcome | None

    @property
    def counts(self) -> bool:
        return self.outcome in (Outcome.INGESTED, Outcome.REPLACED, Outcome.UNRECOGNISED)


def _commit(session: Session, staged: Sequence[Staged]) -> tuple[list[LogObject], list[int]]:
    """Return the rows, and the attempts that are discarded: those that do not count, and those that are replaced."""
    rows = lock_rows(session, [(each.delivery.bucket, each.delivery.key) for each in staged])
    outcomes = _decide_all(rows, [each.delivery for each in staged])
    decided = [_Decided(*each) for each in zip(rows, staged, outcomes, strict=True)]
    counting = [each for each in decided if each.counts]
    replaced = [each.row.attempt_id for each in counting if each.row.attempt_id is not None]
    discarded = [*replaced, *(each.staged.attempt_id for each in decided if not each.counts)]
    if counting:
        _count(session, counting, replaced)
    for attempt_id in discarded:
        attempts.discard(session, attempt_id)
    for each in decided:
        if each.outcome not in (Outcome.STALE, Outcome.CONFLICT):
            advance(each.row, each.staged.delivery)
    session.flush()
    for each in decided:
        assert each.outcome is not None  # noqa: S101 - the content digest is known
        detach(session, each.row, each.outcome)
    return rows, discarded


def _decide_all(rows: Sequence[LogObject], deliveries: Sequence[Delivery]) -> list[Outcome | None]:
    """Decide what each delivery is; of several, S3 is asked at once which versions are current."""
    if len(rows) == 1:
        return [decide(rows[0], deliveries[0])]
    return list(THREADS.map(decide, rows, deliveries))


def _count(session: Session, counting: Sequence[_Decided], replaced: Sequence[int]) -> None:
    """Let attempts count, and no longer those that they replace."""
    change = changes.lock(session, [each.staged.attempt_id for each in counting], replaced)
    for each in counting:
        _check_complete(each.staged, change)
        if each.row.attempt_id is not None:
            check_subtractable(session, each.row, change.horizon, change.sealed)
        _point(each)
    attempts.mark_committed(session, change.added)
    session.flush()
    customer_days = merge(session, change)
    for each in counting:
        row, attempt_id = each.row, each.staged.attempt_id
        days = change.open_days(attempt_id)
        row.customer_days = customer_days[attempt_id]
        row.expired = row.accepted - sum(day.requests for day in days)
        row.days = ranges_of(day.date for day in days)
        if any(day.date < change.sealed for day in change.days[attempt_id]):
            attempts.discard_sealed(session, attempt_id)
        row.committed_at = dt.datetime.now(dt.UTC)
        row.seconds = time.monotonic() - each.staged.content.started


def _check_complete(staged: Staged, change: Change) -> None:
    """Check that every accepted line is staged: a lost batch must not become a wrong number."""
    accepted, found = staged.content.accepted, sum(day.requests for day in change.days[staged.attempt_id])
    if found != accepted:
        raise IntegrityError(f"{accepted} lines were accepted, but {found} are staged")


def _point(decided: _Decided) -> None:
    """Point the row at the attempt, and note its content."""
    row, content = decided.row, decided.staged.content
    if not content.format:
        decided.outcome = Outcome.UNRECOGNISED
    row.attempt_id, row.outcome = decided.staged.attempt_id, decided.outcome
    row.content_digest, row.size_bytes = decided.staged.delivery.content_digest, content.size_bytes
    row.format, row.accepted, row.skipped = content.format, content.accepted, content.skipped
    row.rejected_by_reason = content.rejected_by_reason
    row.rejected = sum(content.rejected_by_reason.values())
    row.lines = row.accepted + row.rejected + row.skipped
    row.rejects_uri = content.rejects_uri
