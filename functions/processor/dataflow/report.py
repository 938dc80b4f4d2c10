"""Report what a byte range of a log object held: an item of the dataflow, and in a cluster a row for the coordinator."""

import base64
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields

import sqlalchemy as sa
from psycopg.types.json import Jsonb

from logstats import rows
from logstats.models import AttemptPart
from processor.ledger.change import IntegrityError

MAX_REJECTS = 10_000
"""Rejected lines kept per log object; all are counted."""
MAX_REJECT_BYTES = 1_024
"""Bytes kept of a rejected line."""


@dataclass(frozen=True, slots=True)
class PartReport:
    """Report what one byte range held: `size_bytes` of content, whose chunks have the `digests`.

    `rejects` are (line number within the range, reason, text); `columns` is the line with the names of the columns that is in
    force at its end.
    """

    part: int
    physical_lines: int
    accepted: int
    skipped: int
    rejected_by_reason: dict[str, int]
    size_bytes: int
    digests: bytes
    columns: bytes
    rejects: list[tuple[int, str, bytes]]


_COPY = f"COPY {AttemptPart.__tablename__} (attempt_id, {', '.join(each.name for each in fields(PartReport))}) FROM STDIN"


class ColumnsChangedError(Exception):
    """The names of the columns change within a log object: its ranges, which are told those of its head, were misread."""


def check_columns(reports: Sequence[PartReport], told: bytes) -> None:
    """Raise a `ColumnsChangedError` if behind any range, the last aside, other columns are in force than the next was told."""
    if any(report.columns != told for report in reports[:-1]):
        raise ColumnsChangedError


def in_order(reports: Iterable[PartReport], ranges: int) -> list[PartReport]:
    """Return the reports of all byte ranges, in order; an `IntegrityError` if one is missing."""
    ordered = sorted(reports, key=lambda report: report.part)
    if [report.part for report in ordered] != list(range(ranges)):
        raise IntegrityError(f"of {ranges} byte ranges, {len(ordered)} have reported")
    return ordered


def send(connection: sa.Connection, attempt_id: int, reports: Sequence[PartReport]) -> None:
    """Leave reports for the coordinator of the attempt's cluster.

    By COPY: as parameters of a statement, up to 10 MB of rejected lines could get into the server's log.
    """
    driver = connection.connection.driver_connection
    assert driver is not None  # noqa: S101 - the connection is open
    with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
        for report in reports:
            encoded = [
                (number, reason, base64.b64encode(text).decode()) for number, reason, text in report.rejects
            ]
            row = asdict(report) | {
                "rejected_by_reason": Jsonb(report.rejected_by_reason),
                "rejects": Jsonb(encoded),
            }
            copy.write_row([attempt_id, *row.values()])


def receive(connection: sa.Connection, attempt_id: int) -> list[PartReport]:
    """Take the reports of all members; rejected lines do not stay in the database."""
    columns = rows.columns(AttemptPart, [field.name for field in fields(PartReport)])
    taken = sa.delete(AttemptPart).where(AttemptPart.attempt_id == attempt_id).returning(*columns)
    return [
        PartReport(*values, [(number, reason, base64.b64decode(text)) for number, reason, text in rejects])  # type: ignore[call-arg]  # as many as its fields
        for *values, rejects in connection.execute(taken)
    ]
