"""Attempts: what is staged for a log object before its commit, and what is left of dead ones.

An attempt lives as long as the session that began it, which holds an advisory lock on the attempt's id. The
database itself drops the lock when the session ends, however it ends; so whether an attempt is alive is never
a matter of time-outs.
"""

import datetime as dt

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats.models import Attempt, AttemptPart, Contribution, LogObject

_LOCKS = 0x61747470 << 32  # "attp": the upper half of the lock keys; the lower is the id


def begin(connection: sa.Connection, bucket: str, key: str) -> int:
    """Begin an attempt and return its id. The connection must stay open until the commit."""
    with Session(connection) as session, session.begin():
        attempt = Attempt(bucket=bucket, key=key, started_at=dt.datetime.now(dt.UTC))
        session.add(attempt)
        session.flush()
        # Before the row can be seen, so that nobody takes the attempt for a dead one.
        session.execute(sa.select(sa.func.pg_advisory_lock(_LOCKS | attempt.id)))
        return attempt.id


def end(connection: sa.Connection, attempt_id: int) -> None:
    """Let go of an attempt: it is committed, or its rows may be collected."""
    with connection.begin():
        connection.execute(sa.select(sa.func.pg_advisory_unlock(_LOCKS | attempt_id)))


def discard(session: Session, attempt_id: int) -> None:
    """Delete everything that an attempt has staged."""
    session.execute(sa.delete(Contribution).where(Contribution.attempt_id == attempt_id))
    session.execute(sa.delete(AttemptPart).where(AttemptPart.attempt_id == attempt_id))
    session.execute(sa.delete(Attempt).where(Attempt.id == attempt_id))


def collect_abandoned(connection: sa.Connection) -> list[int]:
    """Delete what dead attempts have staged, and return their ids."""
    committed = sa.exists().where(LogObject.attempt_id == Attempt.id)
    with Session(connection) as session, session.begin():
        candidates = session.scalars(sa.select(Attempt.id).where(~committed).order_by(Attempt.id)).all()
    collected = []
    for attempt_id in candidates:
        with Session(connection) as session, session.begin():
            is_dead = session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(_LOCKS | attempt_id)))
            still_there = sa.select(Attempt.id).where(Attempt.id == attempt_id, ~committed)
            if is_dead and session.scalar(still_there):
                discard(session, attempt_id)
                collected.append(attempt_id)
    return collected
