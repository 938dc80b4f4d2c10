"""The withdrawal: one transaction takes a log object out of the statistics, for good or because its new version does not count."""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats.models import LogObject
from processor.ledger import attempts
from processor.ledger import change as changes
from processor.ledger.delivery import (
    Delivery,
    Outcome,
    Withdrawal,
    advance,
    advance_withdrawal,
    decide,
    decide_withdrawal,
)
from processor.ledger.horizon import check_subtractable
from processor.ledger.merge import merge
from processor.ledger.rejects import RejectStore
from processor.ledger.transaction import detach, find_row, in_transaction, lock_row


def withdraw(engine: sa.Engine, withdrawal: Withdrawal, rejects: RejectStore) -> LogObject:
    """Take a log object out of the statistics, and leave its row as a tombstone; return it as `commit` does."""
    with engine.connect() as connection:
        row = in_transaction(connection, lambda session: _withdraw(session, withdrawal))
        attempts.garbage_collect(connection, rejects)
        return row


def ignore(engine: sa.Engine, delivery: Delivery, size_bytes: int, rejects: RejectStore) -> LogObject:
    """Record a version that is no log, so that nothing of it counts; return it as `commit` does.

    What an earlier version has contributed is withdrawn, as it would be replaced.
    """
    with engine.connect() as connection:
        row = in_transaction(connection, lambda session: _ignore(session, delivery, size_bytes))
        attempts.garbage_collect(connection, rejects)
        return row


def _ignore(session: Session, delivery: Delivery, size_bytes: int) -> LogObject:
    row = lock_row(session, delivery)
    outcome = decide(row, delivery)
    if outcome not in (Outcome.UNCHANGED, Outcome.STALE):
        outcome = Outcome.IGNORED
        _remove(session, row, outcome)
        row.size_bytes = size_bytes
    if outcome is not Outcome.STALE:
        advance(row, delivery)
    session.flush()
    return detach(session, row, outcome)


def _withdraw(session: Session, withdrawal: Withdrawal) -> LogObject:
    found = session.scalar(find_row(withdrawal).with_for_update())
    if decide_withdrawal(found, withdrawal) is Outcome.STALE:
        return LogObject(bucket=withdrawal.bucket, key=withdrawal.key, outcome=Outcome.STALE)
    row = lock_row(session, withdrawal)
    outcome = decide_withdrawal(row, withdrawal)
    if outcome is Outcome.WITHDRAWN:
        _remove(session, row, outcome)
    if outcome in (Outcome.WITHDRAWN, Outcome.UNCHANGED):
        advance_withdrawal(row, withdrawal)
    session.flush()
    return detach(session, row, outcome)


def _remove(session: Session, row: LogObject, outcome: Outcome) -> None:
    removed = row.attempt_id
    change = changes.lock(session, [], [] if removed is None else [removed])
    check_subtractable(session, row, change.horizon, change.sealed)
    row.attempt_id, row.outcome, row.content_digest, row.rejects_uri = None, outcome, None, None
    row.format = row.days = None
    row.lines = row.accepted = row.rejected = row.skipped = row.expired = row.customer_days = 0
    row.rejected_by_reason, row.size_bytes, row.seconds = {}, None, None
    row.committed_at = dt.datetime.now(dt.UTC)
    session.flush()
    if removed is not None:
        merge(session, change)
        attempts.discard(session, removed)
