"""Attempts: what is staged for a log object before its commit, and what is left of dead ones.

An attempt lives as long as the session that began it, which holds an advisory lock on the attempt's id. The
database itself drops the lock when the session ends, however it ends; so whether an attempt is alive is never
a matter of time-outs.
"""

import datetime as dt
import logging
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from logstats.models import Attempt, Contribution, LogObject
from processor.ledger.horizon import is_unsealed
from processor.ledger.rejects import DeletionError, RejectStore

logger = logging.getLogger(__name__)

LOCKS = 0x61747470 << 32
""""attp": the upper half of the lock keys; the lower is the id."""
_WITHOUT_WAITING = sa.func.set_config("synchronous_commit", "off", True)  # noqa: FBT003 - this transaction only
"""Staged rows need not be safe on disk before the commit, which is behind it in the log and waits for both. The
attempt's own row must be: its id must never come again."""
_SPARED, _NO_LONGER_SPARED = (
    sa.func.set_config("idle_session_timeout", value, False)  # noqa: FBT003 - of the session
    for value in ("0", sa.null())
)
"""An attempt's session is silent while the log object is read; null is what the session began with."""
_COLLECTED = 20
"""Attempts that one collection looks at."""
_COMMITTED = sa.exists().where(LogObject.attempt_id == Attempt.id)


_TEXTS, _IDS = ARRAY(sa.Text), ARRAY(sa.BigInteger)
_LOCKS = sa.literal_column(str(LOCKS), sa.BigInteger)
_OBJECTS = sa.func.unnest(sa.bindparam("buckets", type_=_TEXTS), sa.bindparam("keys", type_=_TEXTS))
_OBJECT = _OBJECTS.table_valued("bucket", "key").render_derived()
_BEGIN = (
    sa.insert(Attempt)
    .from_select(
        ["bucket", "key", "started_at"],
        sa.select(_OBJECT.c.bucket, _OBJECT.c.key, sa.bindparam("now", type_=Attempt.started_at.type)),
    )
    .returning(
        Attempt.id,
        Attempt.bucket,
        Attempt.key,
        # Before the row can be seen, so that nobody takes the attempt for a dead one.
        sa.func.pg_advisory_lock(_LOCKS.op("|")(Attempt.id)),
        _SPARED,
    )
)
_BEGUN = sa.func.unnest(sa.bindparam("ids", type_=_IDS)).column_valued("id")
_END = sa.select(sa.func.pg_advisory_unlock(_LOCKS.op("|")(_BEGUN)), _NO_LONGER_SPARED)


def begin(connection: sa.Connection, objects: Sequence[tuple[str, str]]) -> list[int]:
    """Begin an attempt for each bucket and key, which all differ, and return their ids; the connection stays open until the commit."""
    buckets, keys = [bucket for bucket, _ in objects], [key for _, key in objects]
    with connection.begin():
        now = dt.datetime.now(dt.UTC)
        begun = connection.execute(_BEGIN, {"buckets": buckets, "keys": keys, "now": now})
        ids = {(row.bucket, row.key): row.id for row in begun}
    return [ids[each] for each in objects]


@contextmanager
def begun(
    connection: sa.Connection, objects: Sequence[tuple[str, str]], rejects: RejectStore
) -> Iterator[list[int]]:
    """Begin an attempt for each bucket and key, and yield their ids; let go of them at the end.

    By then they are committed, or their rows may be collected. The connection must stay open meanwhile. If it was
    lost, there is nothing to let go of: the locks went with it.
    """
    ids = begin(connection, objects)
    try:
        yield ids
    except BaseException:
        try:
            connection.rollback()
            if not connection.invalidated:
                with _deletion_left_to_others():
                    for attempt_id in ids:
                        _discard_uncommitted(connection, attempt_id, rejects)
                _end(connection, ids)
        except DBAPIError:
            connection.invalidate()  # the session ends, and its locks with it
        raise
    _end(connection, ids)


def _end(connection: sa.Connection, ids: Sequence[int]) -> None:
    with connection.begin():
        connection.execute(_END, {"ids": ids}).all()


class LostAttemptError(Exception):
    """The attempt's session has ended, and another one has collected what it had staged."""


_AMONG = Attempt.id == sa.any_(sa.bindparam("ids", type_=_IDS))
_LOCK = sa.select(Attempt.id, _WITHOUT_WAITING).where(_AMONG).with_for_update(read=True, key_share=True)


def lock(connection: sa.Connection, ids: Collection[int]) -> None:
    """Keep attempts from being collected until the transaction ends; call it before staging rows.

    The transaction's commit does not wait for the disk. A `LostAttemptError` if one has been collected: rows
    staged now would never be.
    """
    found = {row.id for row in connection.execute(_LOCK, {"ids": list(ids)})}
    if lost := sorted(set(ids) - found):
        raise LostAttemptError(f"attempt {lost[0]} was collected: its database session has ended")


def note_rejects(connection: sa.Connection, uris: Mapping[int, str]) -> None:
    """Note where attempts' rejected lines are about to be kept: before they are, so that a crash cannot orphan them."""
    with connection.begin():
        for attempt_id, uri in uris.items():
            connection.execute(sa.update(Attempt).where(Attempt.id == attempt_id).values(rejects_uri=uri))


def mark_committed(session: Session, ids: Sequence[int]) -> None:
    """Take attempts off the list of those that may be collected."""
    session.connection().execute(sa.update(Attempt).where(_AMONG).values(committed=True), {"ids": ids})


def discard(session: Session, attempt_id: int) -> None:
    """Delete everything that an attempt has staged.

    Its row stays if rejected lines were kept: a transaction cannot delete those. `garbage_collect` does.
    """
    its_own = Attempt.id == attempt_id
    session.execute(sa.update(Attempt).where(its_own).values(committed=False))
    session.execute(sa.delete(Attempt).where(its_own, Attempt.rejects_uri.is_(None)))  # its parts go with it
    session.execute(sa.delete(Contribution).where(Contribution.attempt_id == attempt_id))


def discard_sealed(session: Session, attempt_id: int) -> None:
    """Delete what an attempt has staged for sealed days, among them the closed ones."""
    session.execute(
        sa.delete(Contribution).where(Contribution.attempt_id == attempt_id, ~is_unsealed(Contribution.date))
    )


def garbage_collect(connection: sa.Connection, rejects: RejectStore) -> list[int]:
    """Delete what attempts that are dead, or were replaced, have left; return their ids.

    It looks at a few of them, chosen at random, and stops where rejected lines cannot be deleted: nobody's ingest waits
    long for what others have left, and the next ones do the rest.
    """
    with connection.begin():
        uncommitted = sa.select(Attempt.id).where(~Attempt.committed)
        candidates = connection.scalars(uncommitted.order_by(sa.func.random()).limit(_COLLECTED)).all()
    collected: list[int] = []
    with _deletion_left_to_others():
        collected.extend(each for each in candidates if _discard_uncommitted(connection, each, rejects))
    return collected


@contextmanager
def _deletion_left_to_others() -> Iterator[None]:
    try:
        yield
    except DeletionError as error:
        logger.warning("%s; a later ingest tries again", error)


def _discard_uncommitted(connection: sa.Connection, attempt_id: int, rejects: RejectStore) -> bool:
    """Delete what an attempt has left, unless it is committed, or another session's that lives.

    A `DeletionError` if its rejected lines cannot be deleted; then all of it stays.
    """
    with Session(connection) as session, session.begin():
        is_ours = session.scalar(sa.select(sa.func.pg_try_advisory_xact_lock(LOCKS | attempt_id)))
        # Waits for those who `lock` it.
        still_there = sa.select(Attempt).where(Attempt.id == attempt_id, ~_COMMITTED).with_for_update()
        attempt = session.scalar(still_there) if is_ours else None
        if attempt is None:
            return False
        if attempt.rejects_uri is not None:
            rejects.delete(attempt.rejects_uri)
        attempt.rejects_uri = None
        session.flush()
        discard(session, attempt_id)
        return True
