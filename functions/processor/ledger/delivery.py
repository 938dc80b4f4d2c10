"""Decide what a delivery does to a log object, from its row in the ledger."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from logstats.models import LogObject

UNVERSIONED = "null"
"""The version that S3 gives to every object that is written while versioning is suspended: one replaces the other."""


class SupersededError(Exception):
    """Without a sequencer, only the current version may count, and this one no longer is."""


class Outcome(StrEnum):
    """Name what came of a delivery."""

    INGESTED = "ingested"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"
    STALE = "stale"
    IGNORED = "ignored"
    WITHDRAWN = "withdrawn"
    UNRECOGNISED = "unrecognised"
    CONFLICT = "conflict"


_LEFT_OUT = (Outcome.IGNORED, Outcome.UNRECOGNISED)


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request to let a version of a log object count.

    The `version` is S3's, or the content digest of a local file; None in an unversioned bucket, and while versioning is
    suspended. The `sequencer` is the event's, None when no event asked; `is_current` tells whether the version is the key's
    current one, and is asked under the ledger's lock when sequencers cannot tell. The `content_digest` is None before the
    stored bytes were read. With `force`, an operator wants them counted anew, though the same content counts already.

    New content replaces the old, unless there is `extends`. That tells of content that counts, by its size and digest, whether
    this content, of so many bytes as `content_size`, begins with it; if it does not, one log has taken another's name. A name
    that `is_by_beginning` is the same only for what begins alike: then shorter content is an older state.
    """

    bucket: str
    key: str
    version: str | None
    sequencer: str | None = None
    content_digest: str | None = None
    is_current: Callable[[], bool] = lambda: True
    force: bool = False
    content_size: int = 0
    extends: Callable[[int, str], bool] | None = None
    is_by_beginning: bool = False


@dataclass(frozen=True, slots=True)
class Withdrawal:
    """A request to let a log object no longer count; its row becomes a tombstone.

    The `version` is the one that was deleted for good: another one that counts stays; `UNVERSIONED` for what was written
    while versioning was suspended. It is None if the key itself is gone (a delete marker, or an unversioned bucket), or an
    operator wants it forgotten. The `sequencer` is the event's; None when an operator asks, who is always obeyed.
    `is_current` tells whether the key is still without an object, as for a `Delivery`.
    """

    bucket: str
    key: str
    version: str | None = None
    sequencer: str | None = None
    is_current: Callable[[], bool] = lambda: True


def precedes(sequencer: str, other: str) -> bool:
    """Tell whether a sequencer is older: right-padded with zeros to one length, then compared as hexadecimal.

    Source: Amazon S3 user guide, "Event message structure".
    """
    width = max(len(sequencer), len(other))
    return int(sequencer.ljust(width, "0"), 16) < int(other.ljust(width, "0"), 16)


def decide(row: LogObject | None, delivery: Delivery) -> Outcome | None:
    """Return the outcome of a delivery, or None while that needs the content digest.

    An object that has never been seen has no row in the ledger, or one without an outcome; one of which nothing counted is read
    again, since settings may have changed. A `SupersededError` if the
    delivery has no sequencer, and its version is not the current one.
    """
    if delivery.sequencer is None and not delivery.is_current():
        raise SupersededError
    if row is None or row.outcome is None:
        return Outcome.INGESTED if delivery.content_digest else None
    if row.outcome == Outcome.WITHDRAWN:
        return _decide_after_withdrawal(row, delivery)
    is_same = delivery.version is not None and delivery.version == row.version
    if is_same and row.outcome not in _LEFT_OUT and not delivery.force:
        return Outcome.UNCHANGED
    if _is_late(row, delivery):
        return Outcome.STALE
    return _decide_by_content(row, delivery)


def _decide_by_content(row: LogObject, delivery: Delivery) -> Outcome | None:
    if delivery.content_digest is None:
        return None
    if row.outcome in _LEFT_OUT:
        return Outcome.INGESTED
    if delivery.content_digest == row.content_digest:
        return Outcome.REPLACED if delivery.force else Outcome.UNCHANGED
    size, digest = row.size_bytes or 0, row.content_digest or ""
    if delivery.extends is None or delivery.extends(size, digest):
        return Outcome.REPLACED
    is_older = delivery.is_by_beginning and delivery.content_size < size
    return Outcome.STALE if is_older else Outcome.CONFLICT


def _decide_after_withdrawal(row: LogObject, delivery: Delivery) -> Outcome | None:
    """Only what is newer than the tombstone counts again, and what an operator asks for."""
    if delivery.sequencer is not None:
        was_withdrawn = delivery.version is not None and delivery.version == row.version
        is_repeated = row.sequencer is not None and not precedes(row.sequencer, delivery.sequencer)
        if was_withdrawn or is_repeated or _is_late(row, delivery):
            return Outcome.STALE
    return Outcome.INGESTED if delivery.content_digest else None


def _is_late(row: LogObject, request: Delivery | Withdrawal) -> bool:
    """Tell whether an event is older than what the ledger knows.

    Equal sequencers, which S3 does not give to two versions of a key, are put in order like missing ones.
    """
    if request.sequencer is None:
        return False
    if row.sequencer is not None:
        if precedes(request.sequencer, row.sequencer):
            return True
        if not precedes(row.sequencer, request.sequencer):
            return not request.is_current()
    return row.confirmed_current and not request.is_current()


def decide_withdrawal(row: LogObject | None, withdrawal: Withdrawal) -> Outcome:
    """Return the outcome of a withdrawal: `withdrawn`, `unchanged` when it was before, `stale` or `ignored`."""
    if withdrawal.version is not None and (row is None or (row.version or UNVERSIONED) != withdrawal.version):
        return Outcome.STALE
    if row is None or row.outcome is None:
        return Outcome.WITHDRAWN
    if row.outcome == Outcome.IGNORED:
        return Outcome.IGNORED
    if row.outcome == Outcome.WITHDRAWN:
        return Outcome.UNCHANGED
    if withdrawal.version in (None, UNVERSIONED) and _is_late(row, withdrawal):
        return Outcome.STALE
    return Outcome.WITHDRAWN


def advance(row: LogObject, delivery: Delivery) -> None:
    """Note the newest version and sequencer, so that an older delivery still to come is known as stale."""
    if delivery.sequencer is not None:
        row.confirmed_current = False
    elif row.version is None or row.version != delivery.version:
        row.confirmed_current = True
    row.version = delivery.version
    _advance_sequencer(row, delivery.sequencer)


def advance_withdrawal(row: LogObject, withdrawal: Withdrawal) -> None:
    """Note the newest sequencer. The version stays: one that was withdrawn does not count again by itself.

    The deletion of a version says nothing of the key's other versions: a newer one may still be announced, with
    an older sequencer than the deletion's.
    """
    if withdrawal.version is not None:
        return
    if withdrawal.sequencer is not None:
        row.confirmed_current = False
    _advance_sequencer(row, withdrawal.sequencer)


def _advance_sequencer(row: LogObject, sequencer: str | None) -> None:
    if sequencer is not None and not (row.sequencer and precedes(sequencer, row.sequencer)):
        row.sequencer = sequencer
