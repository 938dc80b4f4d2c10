from collections.abc import Callable
from dataclasses import replace

import pytest

from logstats.models import LogObject
from processor.ledger.delivery import (
    Delivery,
    Outcome,
    Withdrawal,
    advance_withdrawal,
    decide,
    decide_withdrawal,
    precedes,
)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("0055AED6DCD90281E5", "0055AED6DCD90281E6"),  # pragma: allowlist secret - sequencers
        ("0055AED6DCD90281E5", "0055aed6dcd90281e6"),  # pragma: allowlist secret - sequencers
        ("0A", "1"),
        ("1", "11"),
        ("0FFFFFFFFFFFFFFFFF", "1"),
    ],
)
def test_sequencers_compare_as_right_padded_hexadecimal(older: str, newer: str) -> None:
    assert precedes(older, newer)
    assert not precedes(newer, older)


def test_a_sequencer_does_not_precede_itself_however_it_is_padded() -> None:
    assert not precedes("A1", "a100")
    assert not precedes("a100", "A1")


def row(**values: object) -> LogObject:
    known = {"outcome": "ingested", "version": "v1", "sequencer": "B0", "content_digest": "d1"}
    return LogObject(bucket="b", key="k", **{"confirmed_current": False, **known, **values})


def delivery(is_current: Callable[[], bool] = lambda: True, **values: str | None) -> Delivery:
    known = Delivery("b", "k", "v2", "C0", "d2", is_current)
    return replace(known, **values)  # type: ignore[arg-type]  # values by their fields' names


@pytest.mark.parametrize(
    ("known", "delivered", "outcome"),
    [
        (None, {}, Outcome.INGESTED),
        (None, {"content_digest": None}, None),
        ({"outcome": None}, {}, Outcome.INGESTED),
        ({}, {}, Outcome.REPLACED),
        ({}, {"content_digest": None}, None),
        ({}, {"version": "v1"}, Outcome.UNCHANGED),
        ({}, {"version": "v1", "sequencer": "A0", "content_digest": None}, Outcome.UNCHANGED),
        ({}, {"content_digest": "d1"}, Outcome.UNCHANGED),
        ({}, {"sequencer": "A0"}, Outcome.STALE),
        ({}, {"sequencer": "A0", "content_digest": "d1"}, Outcome.STALE),
        ({"sequencer": None}, {"sequencer": "A0"}, Outcome.REPLACED),
        ({"version": None}, {"version": None}, Outcome.REPLACED),
        ({"version": None}, {"version": None, "content_digest": "d1"}, Outcome.UNCHANGED),
        ({}, {"sequencer": None}, Outcome.REPLACED),
    ],
)
def test_decision(
    known: dict[str, object] | None, delivered: dict[str, str | None], outcome: Outcome | None
) -> None:
    assert decide(None if known is None else row(**known), delivery(**delivered)) == outcome  # type: ignore[arg-type]  # values by their fields' names


def test_an_event_for_an_old_version_cannot_undo_a_backfill() -> None:
    backfilled = row(sequencer=None, confirmed_current=True)
    assert decide(backfilled, delivery(is_current=lambda: False)) == Outcome.STALE
    assert decide(backfilled, delivery(is_current=lambda: True)) == Outcome.REPLACED


@pytest.mark.parametrize("sequencer", ["B0", "b", "B000"])
def test_equal_sequencers_are_put_in_order_by_what_is_current(sequencer: str) -> None:
    assert decide(row(), delivery(sequencer=sequencer, is_current=lambda: False)) == Outcome.STALE
    assert decide(row(), delivery(sequencer=sequencer)) == Outcome.REPLACED
    again = Withdrawal("b", "k", None, sequencer, lambda: False)
    assert decide_withdrawal(row(), again) == Outcome.STALE, "the marker's event again, after a backfill"
    assert decide_withdrawal(row(), replace(again, is_current=lambda: True)) == Outcome.WITHDRAWN


def test_the_deletion_of_what_was_written_without_versions_withdraws_what_has_none() -> None:
    """All of them are called "null", so the sequencers tell which one is meant."""
    gone = Withdrawal("b", "k", "null", "D0")
    assert decide_withdrawal(row(version=None), gone) == Outcome.WITHDRAWN
    assert decide_withdrawal(row(version="v1"), gone) == Outcome.STALE
    assert decide_withdrawal(row(version=None, sequencer="E0"), gone) == Outcome.STALE


@pytest.mark.parametrize("left_out", [Outcome.IGNORED, Outcome.UNRECOGNISED])
@pytest.mark.parametrize(
    ("delivered", "outcome"),
    [
        ({"version": "v1", "content_digest": None}, None),
        ({"version": "v1"}, Outcome.INGESTED),
        ({}, Outcome.INGESTED),
        ({"sequencer": "A0"}, Outcome.STALE),
    ],
)
def test_what_was_left_out_is_read_again(
    left_out: Outcome, delivered: dict[str, str | None], outcome: Outcome | None
) -> None:
    known = row(outcome=left_out, content_digest=None)
    assert decide(known, delivery(lambda: False, **delivered)) is outcome


def test_after_an_events_withdrawal_sequencers_tell_the_order_again() -> None:
    """A newer upload need not be current, as one that came after a backfill must."""
    known = row(sequencer=None, confirmed_current=True)
    advance_withdrawal(known, Withdrawal("b", "k", None, "C0"))
    known.outcome = "withdrawn"
    newer = delivery(lambda: False, version="v3", sequencer="D0")
    assert decide(known, newer) == Outcome.INGESTED


def test_a_removed_object_that_is_no_log_stays_ignored() -> None:
    ignored = row(outcome="ignored", version=None, sequencer=None, content_digest=None)
    assert decide_withdrawal(ignored, Withdrawal("b", "k")) == Outcome.IGNORED
