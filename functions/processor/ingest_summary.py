"""Summarise what came of a log object, for logs, metrics and the command line."""

import time
from dataclasses import asdict, dataclass

from logstats.models import LogObject
from processor.ledger.delivery import Delivery, Outcome, Withdrawal
from processor.reading.objects import source_of


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """What came of a log object.

    Attributes
    ----------
    lines
        Accepted and rejected.
    seconds
        From opening the source to the commit.
    expired
        Accepted lines that do not count: their days were closed (see docs/decisions/0007).
    """

    source: str
    outcome: str
    lines: int
    accepted: int
    rejected: int
    rejected_by_reason: dict[str, int]
    customer_days: int
    seconds: float
    expired: int

    def as_dict(self) -> dict[str, object]:
        """Return the fields in their order."""
        return asdict(self)


def summarise(request: Delivery | Withdrawal, row: LogObject, started: float) -> IngestSummary:
    """Return the summary of a delivery or withdrawal whose outcome a row of the ledger carries."""
    counts = row.outcome in (Outcome.INGESTED, Outcome.REPLACED, Outcome.UNCHANGED)
    return IngestSummary(
        source=source_of(request.bucket, request.key),
        outcome=str(row.outcome),
        lines=row.lines if counts else 0,
        accepted=row.accepted if counts else 0,
        rejected=row.rejected if counts else 0,
        rejected_by_reason=row.rejected_by_reason if counts else {},
        customer_days=row.customer_days if counts else 0,
        seconds=round(time.monotonic() - started, 6),
        expired=row.expired if counts else 0,
    )
