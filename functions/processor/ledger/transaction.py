"""A transaction on the row that a log object has in the ledger."""

import random
import time
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
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
        except OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in _RETRIABLE or not tries_left:
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


def lock_row(session: Session, delivery: Delivery | Withdrawal) -> LogObject:
    """Lock the object's row, which is made if there is none; other deliveries of the object wait."""
    new = insert(LogObject).values(bucket=delivery.bucket, key=delivery.key)
    session.execute(new.on_conflict_do_nothing())
    return session.scalars(find_row(delivery).with_for_update()).one()


def detach(session: Session, row: LogObject, outcome: Outcome) -> LogObject:
    """Take the row out of the session, and let it carry the delivery's outcome."""
    session.expunge(row)
    row.outcome = outcome
    return row
