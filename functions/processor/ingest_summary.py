"""Summarise what came of a log object, for logs, metrics and the command line."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field

from logstats.models import LogObject
from processor.dataflow.report import PartReport
from processor.ledger.commit import Content
from processor.ledger.delivery import Delivery, Outcome, Withdrawal
from processor.reading.objects import source_of
from processor.reading.readable import ReadableLog


@dataclass(frozen=True, slots=True)
class IngestSummary:
    """Tell what came of a log object, from opening the source to the commit.

    `lines` are `accepted`, `rejected` and `skipped`: the last are no requests by the `format`. The days of `expired` ones
    among the accepted were closed, so they do not count (docs/decisions/0007). `same_content_as` is the source of another object
    that counts and has the same content. Of a `conflict` it is all that of what counts, and goes on counting.
    """

    source: str
    outcome: str
    format: str | None = None
    lines: int = 0
    accepted: int = 0
    rejected: int = 0
    rejected_by_reason: dict[str, int] = field(default_factory=dict)
    skipped: int = 0
    customer_days: int = 0
    seconds: float = 0
    expired: int = 0
    same_content_as: str | None = None

    def as_dict(self) -> dict[str, object]:
        """Return the fields in their order."""
        return asdict(self)


def content_of(
    log: ReadableLog, reports: Sequence[PartReport], rejects_uri: str | None, started: float
) -> Content:
    """Return what the byte ranges of a log object hold together; it was opened when `time.monotonic()` was `started`."""
    reasons: Counter[str] = Counter()
    for report in reports:
        reasons.update(report.rejected_by_reason)
    accepted = sum(report.accepted for report in reports)
    skipped = sum(report.skipped for report in reports)
    name = log.rule.format if log.rule else None
    size = sum(report.size_bytes for report in reports)
    return Content(size, name, accepted, skipped, dict(sorted(reasons.items())), rejects_uri, started)


def summarise(
    request: Delivery | Withdrawal, row: LogObject, started: float, same: tuple[str, str] | None = None
) -> IngestSummary:
    """Return the summary of a delivery or withdrawal whose outcome a row of the ledger carries."""
    source, seconds = source_of(request.bucket, request.key), round(time.monotonic() - started, 6)
    if row.outcome in (Outcome.STALE, Outcome.IGNORED, Outcome.WITHDRAWN):
        return IngestSummary(source, str(row.outcome), seconds=seconds)
    return IngestSummary(
        source,
        str(row.outcome),
        row.format,
        row.lines,
        row.accepted,
        row.rejected,
        row.rejected_by_reason,
        row.skipped,
        row.customer_days,
        seconds,
        row.expired,
        source_of(*same) if same else None,
    )
