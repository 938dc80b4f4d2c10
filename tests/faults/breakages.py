"""Five ways to break the protocol on purpose, more for its state machine, and for the merge. The tests must notice each of them."""

import datetime as dt
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import count
from typing import Any
from unittest import mock

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats import native, rows
from logstats.models import Contribution, LogObject
from logstats.native import Merged, merge_rows
from processor.ledger import attempts, commit, merge, stripes, subtraction, transaction, withdrawal
from processor.ledger import delivery as ledger
from processor.ledger.change import Change
from processor.ledger.delivery import Delivery, Outcome, Withdrawal

_left, _pages = subtraction._left, merge._pages
_NULL, _FIRST_OF_STATISTICS = b"\xff" * 4, 3 + len(rows.SUMMARY)
_merge, _advance, _decide_withdrawal = merge.merge, ledger.advance, ledger.decide_withdrawal
_decide_after_withdrawal = ledger._decide_after_withdrawal
_calls, _advanced = count(), set[int | None]()


def _always(_row: object, delivery: Delivery) -> Outcome | None:
    return Outcome.INGESTED if delivery.content_digest else None


def _only_add(session: Session, change: Change) -> dict[int, int]:
    return _merge(session, replace(change, removed=[]))


def _merge_in_another(session: Session, change: Change) -> dict[int, int]:
    driver: Any = session.connection().connection.driver_connection
    driver.commit()
    return _merge(session, change)


def _as_if_nothing_were_left(session: Session, keys: list[subtraction.Key]) -> dict[Any, subtraction.Left]:
    """Minimum and maximum of all contributions that there are, also of the ones that no longer count."""
    extremes = sa.select(sa.func.min(Contribution.duration_min_us), sa.func.max(Contribution.duration_max_us))
    least, most = session.execute(extremes).one()
    return {key: replace(left, extremes_us=(least, most)) for key, left in _left(session, keys).items()}


def _lock_in_either_order(session: Session, attempts: list[int], *_days: dt.date) -> None:
    stripe = stripes.stripe_of(Contribution.customer_id)
    touched = sa.select(stripe).distinct().where(Contribution.attempt_id.in_(attempts))
    for found in sorted(session.scalars(touched), reverse=next(_calls) % 2 == 0):
        session.execute(sa.select(stripes.lock(found)))
        session.execute(sa.select(sa.func.pg_sleep(0.005)))


def _of_key(row: LogObject | None, withdrawal: Withdrawal) -> Outcome:
    return _decide_withdrawal(row, replace(withdrawal, version=None, sequencer=None))


def _is_late(row: LogObject, request: Delivery | Withdrawal) -> bool:
    known = row.sequencer is not None and request.sequencer is not None
    return known and ledger.precedes(str(request.sequencer), str(row.sequencer))


def _advance_new_attempts(row: LogObject, delivery: Delivery) -> None:
    if row.attempt_id not in _advanced:
        _advanced.add(row.attempt_id)
        _advance(row, delivery)


def _of_another_version(row: LogObject, delivery: Delivery) -> Outcome | None:
    return _decide_after_withdrawal(row, replace(delivery, version=f"not {delivery.version}"))


BREAKAGES: dict[str, list[tuple[object, str, object]]] = {
    "every delivery counts": [(commit, "decide", _always)],
    "what is replaced goes on counting": [(commit, "merge", _only_add), (withdrawal, "merge", _only_add)],
    "the ledger is committed before the statistics": [
        (commit, "merge", _merge_in_another),
        (withdrawal, "merge", _merge_in_another),
    ],
    "sequencers are not padded": [(ledger, "precedes", lambda one, other: int(one, 16) < int(other, 16))],
    "every second commit locks in descending order, and none is tried again": [
        (stripes, "lock_touched", _lock_in_either_order),
        (transaction, "_TRIES", 1),
    ],
    # What only the state machine can see: each a line of the ledger's rules, left out or turned around.
    "a deletion does not note its sequencer": [(withdrawal, "advance_withdrawal", mock.Mock())],
    "the deletion of any version withdraws the key": [(withdrawal, "decide_withdrawal", _of_key)],
    "a late event undoes a backfill": [(ledger, "_is_late", _is_late)],
    "contents A, B, A that arrive as 1, 3, 2 end as B": [(commit, "advance", _advance_new_attempts)],
    "after a tombstone everything counts again": [(ledger, "_decide_after_withdrawal", _always)],
    "a tombstone forgets its version": [(ledger, "_decide_after_withdrawal", _of_another_version)],
    "dead attempts are never collected": [(attempts, "_discard_uncommitted", mock.Mock(return_value=False))],
}
NAMES = list(BREAKAGES)


def _statistics_forgotten(found: bytes, added: list[int]) -> Merged:
    """The last columns of a row are the day's statistics: null, as if there were none."""
    return merge_rows(_without_statistics(found), added)


def _without_statistics(found: bytes) -> bytes:
    at, out = 0, b""
    while (columns := int.from_bytes(found[at : at + 2])) != 0xFFFF:
        kept, at = found[at : at + 2], at + 2
        for column in range(columns):
            length = max(0, int.from_bytes(found[at : at + 4], signed=True))
            kept += _NULL if column >= _FIRST_OF_STATISTICS else found[at : at + 4 + length]
            at += 4 + length
        out += kept
    return out + found[at:]


def _second_page_lost(*arguments: Any) -> Iterator[tuple[str, str | None]]:  # noqa: ANN401 - handed on
    return iter(list(_pages(*arguments))[:1])


_PAGED = (merge, "_PAGE_BYTES", 1_000)
MERGES: dict[str, list[tuple[object, str, object]]] = {
    "what has statistics is not added": [(merge, "_UPSERT", sa.select(sa.literal(1)))],
    "statistics are replaced by what is added": [(native, "merge_rows", _statistics_forgotten)],
    "new days are not copied": [(merge, "_COPY_NEW_DAYS", sa.select(sa.literal(1)))],
    "days from which something is subtracted are left as they are": [(subtraction, "apply", mock.Mock())],
    "only the first page is merged": [_PAGED, (merge, "_pages", _second_page_lost)],
    "a page begins behind its first customer": [
        _PAGED,
        (merge, "_COPY", merge._COPY.replace("customer_id >= ", "customer_id > ")),
    ],
    "minimum and maximum stay after a subtraction": [(subtraction, "_left", _as_if_nothing_were_left)],
}
BREAKAGES |= MERGES


@contextmanager
def broken(name: str) -> Iterator[None]:
    """Break the protocol."""
    with ExitStack() as patches:
        for patch in BREAKAGES[name]:
            patches.enter_context(mock.patch.object(*patch))
        yield
