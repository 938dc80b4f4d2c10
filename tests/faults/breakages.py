"""Five ways to break the protocol on purpose, and more for its state machine. The tests must notice each of them."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from unittest import mock

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats.models import Contribution, LogObject
from processor.ledger import attempts, commit, merge, stripes, transaction, withdrawal
from processor.ledger import delivery as ledger
from processor.ledger.delivery import Delivery, Outcome, Withdrawal


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

    with mock.patch.object(commit, "merge", only_add), mock.patch.object(withdrawal, "merge", only_add):
        yield


@contextmanager
def two_transactions() -> Iterator[None]:
    """The ledger is committed before the statistics."""
    merge_in_one = merge.merge

    def merge_in_another(session: Session, added: int | None, removed: int | None) -> int:
        driver: Any = session.connection().connection.driver_connection
        driver.commit()
        return merge_in_one(session, added, removed)

    with (
        mock.patch.object(commit, "merge", merge_in_another),
        mock.patch.object(withdrawal, "merge", merge_in_another),
    ):
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
        touched = (
            sa.select(stripes.stripe_of(Contribution.customer_id))
            .distinct()
            .where(Contribution.attempt_id.in_(attempts))
        )
        for found in sorted(session.scalars(touched), reverse=next(calls) % 2 == 0):
            session.execute(sa.select(stripes.lock(found)))
            session.execute(sa.select(sa.func.pg_sleep(0.005)))

    with mock.patch.object(stripes, "lock_touched", lock), mock.patch.object(transaction, "_TRIES", 1):
        yield


# ---- What only the state machine can see: each a line of the ledger's rules, left out or turned around ----


@contextmanager
def tombstone_without_sequencer() -> Iterator[None]:
    """A deletion does not note its sequencer."""
    with mock.patch.object(withdrawal, "advance_withdrawal"):
        yield


@contextmanager
def any_versions_deletion_withdraws() -> Iterator[None]:
    """The deletion of a version withdraws the key, whichever version counts."""
    decide = ledger.decide_withdrawal

    def of_key(row: LogObject | None, withdrawal: Withdrawal) -> Outcome:
        return decide(row, replace(withdrawal, version=None, sequencer=None))

    with mock.patch.object(withdrawal, "decide_withdrawal", of_key):
        yield


@contextmanager
def confirmation_ignored() -> Iterator[None]:
    """A late event undoes a backfill."""

    def is_late(row: LogObject, request: Delivery | Withdrawal) -> bool:
        known = row.sequencer is not None and request.sequencer is not None
        return known and ledger.precedes(str(request.sequencer), str(row.sequencer))

    with mock.patch.object(ledger, "_is_late", is_late):
        yield


@contextmanager
def unchanged_does_not_advance() -> Iterator[None]:
    """Contents A, B, A that arrive as 1, 3, 2 end as B."""
    advance = ledger.advance

    def of_new_attempts(row: LogObject, delivery: Delivery) -> None:
        if row.attempt_id not in seen:
            seen.add(row.attempt_id)
            advance(row, delivery)

    seen: set[int | None] = set()
    with mock.patch.object(commit, "advance", of_new_attempts):
        yield


@contextmanager
def late_events_undo_a_withdrawal() -> Iterator[None]:
    """After a tombstone everything counts again."""

    def again(_row: LogObject, delivery: Delivery) -> Outcome | None:
        return Outcome.INGESTED if delivery.content_digest else None

    with mock.patch.object(ledger, "_decide_after_withdrawal", again):
        yield


@contextmanager
def withdrawn_versions_come_again() -> Iterator[None]:
    """A tombstone forgets which version it stands for."""
    decide = ledger._decide_after_withdrawal

    def of_another_version(row: LogObject, delivery: Delivery) -> Outcome | None:
        return decide(row, replace(delivery, version=f"not {delivery.version}"))

    with mock.patch.object(ledger, "_decide_after_withdrawal", of_another_version):
        yield


@contextmanager
def abandoned_attempts_stay() -> Iterator[None]:
    """What dead attempts have staged is never collected."""
    with mock.patch.object(attempts, "_discard_uncommitted", return_value=False):
        yield
