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
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from logstats.models import Contribution, LogObject
from processor.ledger import attempts, stripes
from processor.ledger.delivery import Delivery, Outcome, advance, decide
from processor.ledger.horizon import check_subtractable, is_open, is_unsealed, ranges_of
from processor.ledger.merge import IntegrityError, merge
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
    added = [each.staged.attempt_id for each in counting]
    stripes.lock_touched(session, [*added, *replaced])
    for each in counting:
        if each.row.attempt_id is not None:
            check_subtractable(session, each.row)
        _point(each)
    attempts.mark_committed(session, added)
    session.flush()
    customer_days = merge(session, added, replaced)
    days = _staged_days(session, {each.staged.attempt_id: each.staged.content for each in counting})
    for each in counting:
        row, attempt_id = each.row, each.staged.attempt_id
        row.customer_days = customer_days[attempt_id]
        row.expired = sum(day.requests for day in days[attempt_id] if not day.is_open)
        row.days = ranges_of(day.date for day in days[attempt_id] if day.is_open)
        if not all(day.is_unsealed for day in days[attempt_id]):
            attempts.discard_sealed(session, attempt_id)
        row.committed_at = dt.datetime.now(dt.UTC)
        row.seconds = time.monotonic() - each.staged.content.started


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


_STAGED_DAYS = (
    sa.select(
        Contribution.attempt_id,
        Contribution.date,
        sa.cast(sa.func.sum(Contribution.total_requests), sa.BigInteger).label("requests"),
        is_open(Contribution.date).label("is_open"),
        is_unsealed(Contribution.date).label("is_unsealed"),
    )
    .where(Contribution.attempt_id == sa.any_(sa.bindparam("attempts", type_=ARRAY(sa.BigInteger))))
    .group_by(Contribution.attempt_id, Contribution.date)
)
"""The accepted lines that are staged, by attempt and day."""


def _staged_days(session: Session, contents: Mapping[int, Content]) -> dict[int, list[Any]]:
    """Return what each attempt has staged of each day. It is every accepted line: a lost batch must not become a wrong number.

    The caller holds the stripes, so these are the horizons that the merge has seen.
    """
    days: dict[int, list[Any]] = {attempt_id: [] for attempt_id in contents}
    for day in session.connection().execute(_STAGED_DAYS, {"attempts": list(contents)}):
        if day.is_open is None:  # then nothing has been merged
            raise IntegrityError("the retention horizon is missing")
        days[day.attempt_id].append(day)
    for attempt_id, content in contents.items():
        staged = sum(day.requests for day in days[attempt_id])
        if staged != content.accepted:
            raise IntegrityError(f"{content.accepted} lines were accepted, but {staged} are staged")
    return days
