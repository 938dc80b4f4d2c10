"""What a byte range of a log object held: an item of the dataflow, and in a cluster a row for the coordinator."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from logstats.models import AttemptPart
from processor.ledger.merge import IntegrityError

MAX_REJECTS = 10_000
"""Rejected lines kept per log object; all are counted."""
MAX_REJECT_BYTES = 1_024
"""Bytes kept of a rejected line."""


@dataclass(frozen=True, slots=True)
class PartReport:
    """What one byte range held; `rejects` are (line number within the range, reason, text)."""

    part: int
    physical_lines: int
    accepted: int
    rejected_by_reason: dict[str, int]
    size_bytes: int
    digests: bytes
    rejects: list[tuple[int, str, bytes]]


def in_order(reports: Iterable[PartReport], ranges: int) -> list[PartReport]:
    """Return the reports of all byte ranges, in order.

    Raises
    ------
    IntegrityError
        If one is missing.
    """
    ordered = sorted(reports, key=lambda report: report.part)
    if [report.part for report in ordered] != list(range(ranges)):
        raise IntegrityError(f"of {ranges} byte ranges, {len(ordered)} have reported")
    return ordered


def send(connection: sa.Connection, attempt_id: int, reports: Sequence[PartReport]) -> None:
    """Leave reports for the coordinator of the attempt's cluster."""
    rows = [
        {
            "attempt_id": attempt_id,
            "part": report.part,
            "physical_lines": report.physical_lines,
            "accepted": report.accepted,
            "rejected_by_reason": report.rejected_by_reason,
            "size_bytes": report.size_bytes,
            "digests": report.digests,
            "rejects": [
                (number, reason, base64.b64encode(text).decode()) for number, reason, text in report.rejects
            ],
        }
        for report in reports
    ]
    if rows:
        connection.execute(sa.insert(AttemptPart), rows)


def receive(connection: sa.Connection, attempt_id: int) -> list[PartReport]:
    """Take the reports of all members; rejected lines do not stay in the database."""
    table = AttemptPart.__table__
    taken = sa.delete(AttemptPart).where(AttemptPart.attempt_id == attempt_id).returning(*table.columns)
    return [
        PartReport(
            row.part,
            row.physical_lines,
            row.accepted,
            row.rejected_by_reason,
            row.size_bytes,
            row.digests,
            [(number, reason, base64.b64decode(text)) for number, reason, text in row.rejects],
        )
        for row in connection.execute(taken)
    ]
