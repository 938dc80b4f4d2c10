"""Five ways to break the protocol on purpose. The tests must notice each of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from unittest import mock

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats.models import Contribution
from processor import commit, ledger, merge
from processor.ledger import Delivery, Outcome


@contextmanager
def no_ledger_check() -> Iterator[None]:
    """Every delivery counts, whatever its version and sequencer."""

    def always(_row: object, delivery: Delivery) -> Outcome | None:
        return Outcome.INGESTED if delivery.content_digest else None

    with mock.patch.object(commit, "decide", always):
        yield


@contextmanager
def no_subtraction() -> Iterator[None]:
    """What is replaced goes on counting."""
    merge_both = merge.merge

    def only_add(session: Session, added: int | None, removed: int | None) -> int:
        return merge_both(session, added, None)

    with mock.patch.object(commit, "merge", only_add):
        yield


@contextmanager
def two_transactions() -> Iterator[None]:
    """The ledger is committed before the statistics."""
    merge_in_one = merge.merge

    def merge_in_another(session: Session, added: int | None, removed: int | None) -> int:
        driver: Any = session.connection().connection.driver_connection
        driver.commit()
        return merge_in_one(session, added, removed)

    with mock.patch.object(commit, "merge", merge_in_another):
        yield


@contextmanager
def wrong_sequencer_comparison() -> Iterator[None]:
    """Sequencers are compared as numbers, without padding them on the right."""
    with mock.patch.object(ledger, "precedes", lambda one, other: int(one, 16) < int(other, 16)):
        yield


@contextmanager
def reversed_lock_order() -> Iterator[None]:
    """Every second commit locks the stripes in descending order, and none is tried again."""
    calls = iter(range(1 << 30))

    def lock(session: Session, attempts: list[int]) -> None:
        stripe = sa.func.hashtext(Contribution.customer_id).op("&")(merge.STRIPES - 1)
        touched = sa.select(stripe).distinct().where(Contribution.attempt_id.in_(attempts))
        for found in sorted(session.scalars(touched), reverse=next(calls) % 2 == 0):
            session.execute(sa.select(sa.func.pg_advisory_xact_lock(merge._STRIPE_LOCKS, found)))
            session.execute(sa.select(sa.func.pg_sleep(0.005)))

    with mock.patch.object(merge, "_lock_stripes", lock), mock.patch.object(commit, "_TRIES", 1):
        yield
