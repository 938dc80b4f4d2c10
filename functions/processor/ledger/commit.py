"""The commit: one transaction makes an attempt visible, or finds that it must not be.

1. Lock the object's row in the ledger; deliveries of one object queue here.
2. Decide, from version, sequencer and content, what the delivery is.
3. Lock the stripes of the touched customers; commits that share customers queue here.
4. Point the ledger at the attempt, merge it into the daily statistics, subtract what it replaces; closed days
   take no part, and count as expired.

A crash before the end leaves everything as it was.
"""

import datetime as dt
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from logstats.models import Contribution, LogObject
from processor.ledger import attempts
from processor.ledger.delivery import (
    Delivery,
    Outcome,
    Withdrawal,
    advance,
    advance_withdrawal,
    decide,
    decide_withdrawal,
)
from processor.ledger.horizon import HORIZON, is_open
from processor.ledger.merge import IntegrityError, merge

T = TypeVar("T")

_TRIES = 5
_RETRIABLE = {"40001", "40P01"}  # serialization_failure, deadlock_detected


@dataclass(frozen=True, slots=True)
class Content:
    """What an attempt has found in a log object."""

    size_bytes: int
    accepted: int
    rejected_by_reason: dict[str, int]
    rejects_uri: str | None
    started: float
    """`time.monotonic()` when the source was opened."""


def settle_without_reading(engine: sa.Engine, delivery: Delivery) -> LogObject | None:
    """Settle a delivery that needs no reading: the version is known, or older than the one that counts.

    Returns
    -------
    LogObject or None
        A detached copy of the ledger row whose `outcome` is that of the delivery; None if the object must
        be read.
    """
    with Session(engine, expire_on_commit=False) as session, session.begin():
        row = session.scalar(_ledger_row(delivery).with_for_update())
        outcome = decide(row, delivery)
        if row is None or outcome is None:
            return None
        if outcome is Outcome.UNCHANGED:
            advance(row, delivery)
        session.flush()
        return _detached(session, row, outcome)


def ignore(engine: sa.Engine, delivery: Delivery, size_bytes: int) -> LogObject:
    """Record an object that is no log object."""
    with Session(engine, expire_on_commit=False) as session, session.begin():
        row = _lock_ledger_row(session, delivery)
        row.outcome, row.size_bytes = Outcome.IGNORED, size_bytes
        row.committed_at = dt.datetime.now(dt.UTC)
        advance(row, delivery)
        session.flush()
        return _detached(session, row, Outcome.IGNORED)


def commit(connection: sa.Connection, delivery: Delivery, attempt_id: int, content: Content) -> LogObject:
    """Make an attempt visible, if it is the newest; otherwise discard what it staged.

    Parameters
    ----------
    connection
        The session that began the attempt: were it lost, the attempt would be too.

    Returns
    -------
    LogObject
        A detached copy of the ledger row whose `outcome` is that of the delivery.
    """
    row = _in_transaction(connection, lambda session: _commit(session, delivery, attempt_id, content))
    if row.outcome != Outcome.INGESTED:
        attempts.collect_abandoned(connection)
    return row


def withdraw(engine: sa.Engine, withdrawal: Withdrawal) -> LogObject:
    """Take a log object out of the statistics, and leave its row as a tombstone.

    Returns
    -------
    LogObject
        A detached copy of the ledger row whose `outcome` is that of the withdrawal.
    """
    with engine.connect() as connection:
        row = _in_transaction(connection, lambda session: _withdraw(session, withdrawal))
        attempts.collect_abandoned(connection)
        return row


def _in_transaction(connection: sa.Connection, work: Callable[[Session], T]) -> T:
    """Run a transaction; PostgreSQL's requests to try again are followed, with growing pauses.

    A lost connection is not: nobody knows whether its COMMIT went through. The next delivery finds out.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            with Session(connection, expire_on_commit=False) as session, session.begin():
                return work(session)
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in _RETRIABLE or not tries_left:
                raise
            time.sleep(random.uniform(0.02, 0.2) * (_TRIES - tries_left))  # noqa: S311 - no secret
    raise AssertionError  # pragma: no cover - the last try returns or raises


def _commit(session: Session, delivery: Delivery, attempt_id: int, content: Content) -> LogObject:
    row = _lock_ledger_row(session, delivery)
    outcome = decide(row, delivery)
    if outcome in (Outcome.INGESTED, Outcome.REPLACED):
        replaced = row.attempt_id
        row.attempt_id, row.outcome = attempt_id, outcome
        row.content_digest, row.size_bytes = delivery.content_digest, content.size_bytes
        row.accepted, row.rejected_by_reason = content.accepted, content.rejected_by_reason
        row.rejected = sum(content.rejected_by_reason.values())
        row.lines = row.accepted + row.rejected
        row.rejects_uri = content.rejects_uri
        attempts.mark_committed(session, attempt_id)
        session.flush()
        row.customer_days = merge(session, added=attempt_id, removed=replaced)
        row.expired = _check_complete(session, attempt_id, content)
        if row.expired:
            attempts.discard_closed(session, attempt_id)
        row.committed_at = dt.datetime.now(dt.UTC)
        row.seconds = time.monotonic() - content.started
        if replaced is not None:
            attempts.discard(session, replaced)
    else:
        attempts.discard(session, attempt_id)
    if outcome is not Outcome.STALE:
        advance(row, delivery)
    session.flush()
    assert outcome is not None  # noqa: S101 - the content digest is known
    return _detached(session, row, outcome)


def _withdraw(session: Session, withdrawal: Withdrawal) -> LogObject:
    found = session.scalar(_ledger_row(withdrawal).with_for_update())
    if decide_withdrawal(found, withdrawal) is Outcome.STALE:
        return LogObject(bucket=withdrawal.bucket, key=withdrawal.key, outcome=Outcome.STALE)
    row = _lock_ledger_row(session, withdrawal)
    outcome = decide_withdrawal(row, withdrawal)
    if outcome is Outcome.WITHDRAWN:
        removed = row.attempt_id
        row.attempt_id, row.outcome, row.content_digest, row.rejects_uri = None, outcome, None, None
        row.lines = row.accepted = row.rejected = row.expired = row.customer_days = 0
        row.rejected_by_reason, row.size_bytes, row.seconds = {}, None, None
        row.committed_at = dt.datetime.now(dt.UTC)
        session.flush()
        if removed is not None:
            merge(session, added=None, removed=removed)
            attempts.discard(session, removed)
    if outcome in (Outcome.WITHDRAWN, Outcome.UNCHANGED):
        advance_withdrawal(row, withdrawal)
    session.flush()
    return _detached(session, row, outcome)


def _check_complete(session: Session, attempt_id: int, content: Content) -> int:
    """Every accepted line is staged: a lost batch must not become a wrong number. Return how many are of closed days.

    The merge has locked the stripes, so this is the horizon that it has seen.
    """
    lines = sa.func.coalesce(sa.func.sum(Contribution.total_requests), 0)
    closed = sa.func.sum(Contribution.total_requests).filter(~is_open(Contribution.date))
    staged, expired, horizon = session.execute(
        sa.select(lines, sa.cast(sa.func.coalesce(closed, 0), sa.BigInteger), HORIZON).where(
            Contribution.attempt_id == attempt_id
        )
    ).one()
    if staged != content.accepted:
        raise IntegrityError(f"{content.accepted} lines were accepted, but {staged} are staged")
    if horizon is None:  # then nothing has been merged
        raise IntegrityError("the retention horizon is missing")
    return int(expired)


def _ledger_row(delivery: Delivery | Withdrawal) -> sa.Select[LogObject]:
    return sa.select(LogObject).where(LogObject.bucket == delivery.bucket, LogObject.key == delivery.key)


def _lock_ledger_row(session: Session, delivery: Delivery | Withdrawal) -> LogObject:
    values = {
        "bucket": delivery.bucket,
        "key": delivery.key,
        "confirmed_current": False,
        "lines": 0,
        "accepted": 0,
        "rejected": 0,
        "rejected_by_reason": {},
        "expired": 0,
        "customer_days": 0,
    }
    session.execute(insert(LogObject).values(values).on_conflict_do_nothing())
    return session.scalars(_ledger_row(delivery).with_for_update()).one()


def _detached(session: Session, row: LogObject, outcome: Outcome) -> LogObject:
    """Take the row out of the session, and let it carry the delivery's outcome."""
    session.expunge(row)
    row.outcome = outcome
    return row
