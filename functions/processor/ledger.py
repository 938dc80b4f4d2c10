"""What a delivery does to a log object, decided from its row in the ledger."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from logstats.models import LogObject


class SupersededError(Exception):
    """Without a sequencer, only the current version may count, and this one no longer is."""


class Outcome(StrEnum):
    """What came of a delivery."""

    INGESTED = "ingested"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"
    STALE = "stale"
    IGNORED = "ignored"


@dataclass(frozen=True, slots=True)
class Delivery:
    """A request to let a version of a log object count.

    Attributes
    ----------
    version
        The S3 version id, or the content digest of a local file; None in an unversioned bucket.
    sequencer
        The event's sequencer; None when no event asked.
    content_digest
        The digest of the stored bytes; None before they were read.
    is_current
        Whether the version is the key's current one; asked under the ledger's lock when sequencers cannot
        tell.
    """

    bucket: str
    key: str
    version: str | None
    sequencer: str | None = None
    content_digest: str | None = None
    is_current: Callable[[], bool] = lambda: True


def precedes(sequencer: str, other: str) -> bool:
    """Whether a sequencer is older: right-padded with zeros to one length, then compared as hexadecimal.

    Source: Amazon S3 user guide, "Event message structure".
    """
    width = max(len(sequencer), len(other))
    return int(sequencer.ljust(width, "0"), 16) < int(other.ljust(width, "0"), 16)


def decide(row: LogObject | None, delivery: Delivery) -> Outcome | None:
    """Return the outcome of a delivery, or None while that needs the content digest.

    Parameters
    ----------
    row
        The object's row in the ledger; None, or without an outcome, when it has never been seen.

    Raises
    ------
    SupersededError
        If the delivery has no sequencer, and its version is not the current one.
    """
    if delivery.sequencer is None and not delivery.is_current():
        raise SupersededError
    if row is None or row.outcome is None:
        return Outcome.INGESTED if delivery.content_digest else None
    if delivery.version is not None and delivery.version == row.version:
        return Outcome.UNCHANGED
    if delivery.sequencer is not None:
        if row.sequencer is not None and precedes(delivery.sequencer, row.sequencer):
            return Outcome.STALE
        if row.confirmed_current and not delivery.is_current():
            return Outcome.STALE
    if delivery.content_digest is None:
        return None
    return Outcome.UNCHANGED if delivery.content_digest == row.content_digest else Outcome.REPLACED


def advance(row: LogObject, delivery: Delivery) -> None:
    """Note the newest version and sequencer, so that an older delivery still to come is known as stale."""
    if delivery.sequencer is not None:
        row.confirmed_current = False
    elif row.version is None or row.version != delivery.version:
        row.confirmed_current = True
    row.version = delivery.version
    if delivery.sequencer is not None and not (row.sequencer and precedes(delivery.sequencer, row.sequencer)):
        row.sequencer = delivery.sequencer
