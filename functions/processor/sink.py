"""Bytewax sinks that stage rows under an attempt, where nothing reads them until the commit."""

import base64
from collections.abc import Callable
from typing import TypeVar

import sqlalchemy as sa
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from sqlalchemy.orm import Session

from logstats.models import AttemptPart, Contribution
from processor import attempts
from processor.flow import CustomerDay, PartReport
from processor.monitor import Monitor

Item = TypeVar("Item")

_COLUMNS = tuple(column.name for column in Contribution.__table__.columns)
_COPY = f"COPY {Contribution.__tablename__} ({', '.join(_COLUMNS)}) FROM STDIN (FORMAT BINARY)"
_TYPES = tuple(
    {"BIGINT": "int8", "TEXT": "text", "DATE": "date", "NUMERIC(38, 0)": "numeric", "BLOB": "bytea"}[
        str(column.type.compile()).split(" COLLATE")[0]
    ]
    for column in Contribution.__table__.columns
)


class StagingPartition(StatelessSinkPartition[Item]):
    """One worker's writer; errors go to the monitor, since Bytewax would panic."""

    def __init__(self, write: Callable[[list[Item]], None], batch: int, monitor: Monitor) -> None:
        self._write, self._batch, self._monitor = write, batch, monitor
        self._waiting: list[Item] = []

    def write_batch(self, items: list[Item]) -> None:
        """Take items; write when enough have come."""
        self._waiting += items
        if len(self._waiting) >= self._batch:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        self._flush()

    def _flush(self) -> None:
        if self._monitor.error or not self._waiting:
            return
        try:
            self._write(self._waiting)
        except Exception as error:  # noqa: BLE001 - raised again by `run`
            self._monitor.fail(error)
        self._waiting = []


class ContributionSink(DynamicSink[CustomerDay]):
    """Stages contributions with COPY.

    The part number keeps several partial summaries of one customer and day apart.
    """

    def __init__(self, engine: sa.Engine, attempt_id: int, monitor: Monitor, batch: int = 10_000) -> None:
        self._engine, self._attempt_id, self._monitor, self._batch = engine, attempt_id, monitor, batch

    def build(
        self, _step_id: str, worker_index: int, worker_count: int
    ) -> StatelessSinkPartition[CustomerDay]:
        """Return the writer of one worker."""
        written = 0

        def write(items: list[CustomerDay]) -> None:
            nonlocal written
            with self._engine.begin() as connection:
                attempts.hold(connection, self._attempt_id)
                driver = connection.connection.driver_connection
                assert driver is not None  # noqa: S101 - the connection is open
                with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
                    copy.set_types(_TYPES)
                    for item in items:
                        part = written * worker_count + worker_index
                        copy.write_row(_row(self._attempt_id, part, item))
                        written += 1

        return StagingPartition(write, self._batch, self._monitor)


def _row(attempt_id: int, part: int, item: CustomerDay) -> tuple[object, ...]:
    summary = item.summary
    values = {
        "attempt_id": attempt_id,
        "customer_id": item.customer_id,
        "date": item.date,
        "part": part,
        "total_requests": summary.total_requests,
        "client_errors": summary.client_errors,
        "server_errors": summary.server_errors,
        "duration_sum_us": summary.duration_sum_us,
        "duration_min_us": summary.duration_min_us,
        "duration_max_us": summary.duration_max_us,
        "histogram": summary.histogram.encoded,
    }
    return tuple(values[column] for column in _COLUMNS)


class ReportSink(DynamicSink[PartReport]):
    """Stages the reports of byte ranges."""

    def __init__(self, engine: sa.Engine, attempt_id: int, monitor: Monitor) -> None:
        self._engine, self._attempt_id, self._monitor = engine, attempt_id, monitor

    def build(
        self, _step_id: str, _worker_index: int, _worker_count: int
    ) -> StatelessSinkPartition[PartReport]:
        """Return the writer of one worker."""

        def write(reports: list[PartReport]) -> None:
            with Session(self._engine) as session, session.begin():
                session.add_all(_part(self._attempt_id, report) for report in reports)

        return StagingPartition(write, 1, self._monitor)


def _part(attempt_id: int, report: PartReport) -> AttemptPart:
    return AttemptPart(
        attempt_id=attempt_id,
        part=report.part,
        physical_lines=report.physical_lines,
        accepted=report.accepted,
        rejected_by_reason=report.rejected_by_reason,
        size_bytes=report.size_bytes,
        digests=report.digests,
        rejects=[
            (line_number, reason, base64.b64encode(text).decode())
            for line_number, reason, text in report.rejects
        ],
    )
