"""The commit: one transaction makes an attempt visible, or finds that it must not be.

1. Lock the object's row in the ledger; deliveries of one object queue here.
2. Decide, from version, sequencer and content, what the delivery is.
3. Lock the stripes of the touched customers; commits that share customers queue here.
4. Point the ledger at the attempt, merge it into the daily statistics, subtract what it replaces; closed days
   take no part, and count as expired; to sealed ones something may be added, and a commit that would have to subtract fails.

A crash before the end leaves everything as it was.
"""

import datetime as dt
import time
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats.models import Contribution, LogObject
from processor.ledger import attempts, stripes
from processor.ledger.delivery import Delivery, Outcome, advance, decide
from processor.ledger.horizon import check_subtractable, is_open, is_unsealed, ranges_of
from processor.ledger.merge import IntegrityError, merge
from processor.ledger.rejects import RejectStore
from processor.ledger.transaction import detach, find_row, in_transaction, lock_row


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


def commit(
    connection: sa.Connection, delivery: Delivery, attempt_id: int, content: Content, rejects: RejectStore
) -> LogObject:
    """Make an attempt visible, if it is the newest; otherwise discard what it staged.

    The connection is the session that began the attempt: were it lost, the attempt would be too. Return a detached copy
    of the ledger row, whose `outcome` is that of the delivery.
    """
    row, discarded = in_transaction(
        connection, lambda session: _commit(session, delivery, attempt_id, content)
    )
    if discarded is not None:
        attempts.garbage_collect(connection, rejects)
    return row


def _commit(
    session: Session, delivery: Delivery, attempt_id: int, content: Content
) -> tuple[LogObject, int | None]:
    """Return the row, and the attempt that is discarded: this one, or the one that it replaces, if there is one."""
    row = lock_row(session, delivery)
    outcome = decide(row, delivery)
    discarded: int | None = attempt_id
    if outcome in (Outcome.INGESTED, Outcome.REPLACED):
        discarded = row.attempt_id
        stripes.lock_touched(session, [attempt for attempt in (attempt_id, discarded) if attempt is not None])
        check_subtractable(session, row)
        outcome = outcome if content.format else Outcome.UNRECOGNISED
        row.attempt_id, row.outcome = attempt_id, outcome
        row.content_digest, row.size_bytes = delivery.content_digest, content.size_bytes
        row.format, row.accepted, row.skipped = content.format, content.accepted, content.skipped
        row.rejected_by_reason = content.rejected_by_reason
        row.rejected = sum(content.rejected_by_reason.values())
        row.lines = row.accepted + row.rejected + row.skipped
        row.rejects_uri = content.rejects_uri
        attempts.mark_committed(session, attempt_id)
        session.flush()
        row.customer_days = merge(session, [attempt_id], [] if discarded is None else [discarded])[attempt_id]
        staged = _staged_days(session, attempt_id, content)
        row.expired = sum(day.requests for day in staged if not day.is_open)
        row.days = ranges_of(day.date for day in staged if day.is_open)
        if not all(day.is_unsealed for day in staged):
            attempts.discard_sealed(session, attempt_id)
        row.committed_at = dt.datetime.now(dt.UTC)
        row.seconds = time.monotonic() - content.started
    if discarded is not None:
        attempts.discard(session, discarded)
    if outcome not in (Outcome.STALE, Outcome.CONFLICT):
        advance(row, delivery)
    session.flush()
    assert outcome is not None  # noqa: S101 - the content digest is known
    return detach(session, row, outcome), discarded


_STAGED_DAYS = (
    sa.select(
        Contribution.date,
        sa.cast(sa.func.sum(Contribution.total_requests), sa.BigInteger).label("requests"),
        is_open(Contribution.date).label("is_open"),
        is_unsealed(Contribution.date).label("is_unsealed"),
    )
    .where(Contribution.attempt_id == sa.bindparam("attempt_id"))
    .group_by(Contribution.date)
)
"""The accepted lines that are staged, by their days."""


def _staged_days(session: Session, attempt_id: int, content: Content) -> list[Any]:
    """Return what is staged of each day. It is every accepted line: a lost batch must not become a wrong number.

    The caller holds the stripes, so these are the horizons that the merge has seen.
    """
    days = session.connection().execute(_STAGED_DAYS, {"attempt_id": attempt_id}).all()
    staged = sum(day.requests for day in days)
    if staged != content.accepted:
        raise IntegrityError(f"{content.accepted} lines were accepted, but {staged} are staged")
    if any(day.is_open is None for day in days):  # then nothing has been merged
        raise IntegrityError("the retention horizon is missing")
    return list(days)
