"""Membership in a cluster: several processes stage under one attempt.

Each member holds a shared lock until it has staged everything; so whoever gets the exclusive lock knows that
all members have ended, however they ended.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from logstats.models import Attempt
from processor.ledger.attempts import LOCKS

_MEMBERS = 0x6D656D62  # "memb": the upper half of the lock keys; the lower is the attempt's id


def announce(engine: sa.Engine, attempt_id: int, cluster: str) -> None:
    """Let the processes of a cluster find an attempt."""
    with engine.begin() as connection:
        connection.execute(sa.update(Attempt).where(Attempt.id == attempt_id).values(cluster=cluster))


def find(engine: sa.Engine, bucket: str, key: str, cluster: str) -> int | None:
    """Return the id of the living attempt that was announced to a cluster, if there is one."""
    announced = (
        sa.select(Attempt.id)
        .where(~Attempt.committed, Attempt.bucket == bucket, Attempt.key == key, Attempt.cluster == cluster)
        .order_by(Attempt.id.desc())
        .limit(1)
    )
    with engine.connect() as connection:
        attempt_id = connection.scalar(announced)
    return attempt_id if attempt_id and is_alive(engine, attempt_id) else None


def is_alive(engine: sa.Engine, attempt_id: int) -> bool:
    """Tell whether the session that began an attempt still holds its lock."""
    return _count_locks(engine, LOCKS >> 32, attempt_id) > 0


@contextmanager
def join(engine: sa.Engine, attempt_id: int) -> Iterator[None]:
    """Be a member of an attempt's cluster."""
    lock = sa.func.pg_advisory_xact_lock_shared(_MEMBERS << 32 | attempt_id)
    with engine.begin() as connection:
        connection.execute(sa.select(lock))
        yield


def count_members(engine: sa.Engine, attempt_id: int) -> int:
    """Return how many members there are now."""
    return _count_locks(engine, _MEMBERS, attempt_id)


def wait_for_members(engine: sa.Engine, attempt_id: int) -> None:
    """Wait until every member has ended."""
    with engine.begin() as connection:
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_MEMBERS << 32 | attempt_id)))


def _count_locks(engine: sa.Engine, upper: int, lower: int) -> int:
    """Count the holders of an advisory lock (PostgreSQL documentation, "pg_locks")."""
    locks = sa.text(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
        " AND classid = :upper AND objid = :lower"
        " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    with engine.connect() as connection:
        found: int = connection.execute(locks, {"upper": upper, "lower": lower}).scalar_one()
    return found
