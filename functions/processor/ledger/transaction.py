"""A transaction on the row that a log object has in the ledger."""

import random
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from logstats.models import LogObject
from processor.ledger.delivery import Delivery, Outcome, Withdrawal

T = TypeVar("T")

_TRIES = 5
_RETRIABLE = {"40001", "40P01"}  # serialization_failure, deadlock_detected


def in_transaction(connection: sa.Connection, work: Callable[[Session], T]) -> T:
    """Run a transaction; PostgreSQL's requests to try again are followed, with growing pauses.

    A lost connection is not: nobody knows whether its COMMIT went through. The next delivery finds out.
    """
    for tries_left in reversed(range(_TRIES)):
        try:
            with Session(connection, expire_on_commit=False) as session, session.begin():
                return work(session)
        except (OperationalError, psycopg.OperationalError) as error:  # within a COPY it is the driver's own
            original = error.orig if isinstance(error, OperationalError) else error
            if getattr(original, "sqlstate", None) not in _RETRIABLE or not tries_left:
                raise
            time.sleep(random.uniform(0.02, 0.2) * (_TRIES - tries_left))  # noqa: S311 - no secret
    raise AssertionError  # pragma: no cover - the last try returns or raises


def find_row(delivery: Delivery | Withdrawal) -> sa.Select[LogObject]:
    """Select the object's row."""
    return sa.select(LogObject).where(LogObject.bucket == delivery.bucket, LogObject.key == delivery.key)


def read_row(connection: sa.Connection, delivery: Delivery) -> LogObject | None:
    """Return the object's row as it is now, if it has one."""
    with Session(connection, expire_on_commit=False) as session, session.begin():
        return session.scalar(find_row(delivery))


_NAMES = sa.func.unnest(
    sa.bindparam("buckets", type_=ARRAY(sa.Text)), sa.bindparam("keys", type_=ARRAY(sa.Text))
)
_NAME = _NAMES.table_valued("bucket", "key").render_derived()
_MAKE_ROWS = (
    insert(LogObject)
    .from_select(["bucket", "key"], sa.select(_NAME.c.bucket, _NAME.c.key))
    .on_conflict_do_nothing()
)
_FIND_ROWS = (
    sa.select(LogObject)
    .join(_NAME, sa.and_(LogObject.bucket == _NAME.c.bucket, LogObject.key == _NAME.c.key))
    .order_by(LogObject.bucket, LogObject.key)
)
_LOCK_ROWS = _FIND_ROWS.with_for_update(of=LogObject)


def find_rows(session: Session, objects: Iterable[tuple[str, str]]) -> dict[tuple[str, str], LogObject]:
    """Return the rows, by bucket and key, of the objects that have one."""
    return _by_name(session.scalars(_FIND_ROWS, _parameters(objects)))


def lock_rows(session: Session, objects: Sequence[tuple[str, str]]) -> list[LogObject]:
    """Lock the rows of objects, which are made where there are none, and return them; other deliveries of the objects wait.

    All lock them in one order, so no two can wait for each other.
    """
    parameters = _parameters(objects)
    session.connection().execute(_MAKE_ROWS, parameters)
    found = _by_name(session.scalars(_LOCK_ROWS, parameters))
    return [found[each] for each in objects]


def lock_row(session: Session, delivery: Delivery | Withdrawal) -> LogObject:
    """Lock the row of one object, as `lock_rows` does."""
    (row,) = lock_rows(session, [(delivery.bucket, delivery.key)])
    return row


def _parameters(objects: Iterable[tuple[str, str]]) -> dict[str, list[str]]:
    ordered = sorted(objects)
    return {"buckets": [bucket for bucket, _ in ordered], "keys": [key for _, key in ordered]}


def _by_name(rows: Iterable[LogObject]) -> dict[tuple[str, str], LogObject]:
    return {(row.bucket, row.key): row for row in rows}


def detach(session: Session, row: LogObject, outcome: Outcome) -> LogObject:
    """Take the row out of the session, and let it carry the delivery's outcome."""
    session.expunge(row)
    row.outcome = outcome
    return row
