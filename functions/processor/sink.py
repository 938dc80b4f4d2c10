"""Bytewax sinks that stage rows under an attempt, where nothing reads them until the commit."""

import base64
from collections.abc import Callable
from itertools import count
from typing import TypeVar

import sqlalchemy as sa
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from sqlalchemy.orm import Session

from logstats.batch import COLUMNS, SummaryBatch
from logstats.models import AttemptPart, Contribution
from processor import attempts
from processor.flow import PartReport
from processor.monitor import Monitor

Item = TypeVar("Item")

_COPY = f"COPY {Contribution.__tablename__} ({', '.join(COLUMNS)}) FROM STDIN (FORMAT BINARY)"
_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TRAILER = b"\xff\xff"
_BATCH_BYTES = 16 << 20


class StagingPartition(StatelessSinkPartition[Item]):
    """One worker's writer; errors go to the monitor, since Bytewax would panic."""

    def __init__(
        self,
        write: Callable[[list[Item]], None],
        batch: int,
        monitor: Monitor,
        size: Callable[[Item], int] = lambda _: 1,
    ) -> None:
        self._write, self._batch, self._monitor, self._size = write, batch, monitor, size
        self._waiting: list[Item] = []
        self._waiting_size = 0

    def write_batch(self, items: list[Item]) -> None:
        """Take items; write when enough have come."""
        self._waiting += items
        self._waiting_size += sum(map(self._size, items))
        if self._waiting_size >= self._batch:
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
        self._waiting, self._waiting_size = [], 0


class ContributionSink(DynamicSink[SummaryBatch]):
    """Stages contributions with COPY.

    The part number keeps several partial summaries of one customer and day apart.
    """

    def __init__(self, engine: sa.Engine, attempt_id: int, monitor: Monitor) -> None:
        self._engine, self._attempt_id, self._monitor = engine, attempt_id, monitor

    def build(
        self, _step_id: str, worker_index: int, worker_count: int
    ) -> StatelessSinkPartition[SummaryBatch]:
        """Return the writer of one worker."""
        parts = count(worker_index, worker_count)

        def write(batches: list[SummaryBatch]) -> None:
            with self._engine.begin() as connection:
                attempts.hold(connection, self._attempt_id)
                driver = connection.connection.driver_connection
                assert driver is not None  # noqa: S101 - the connection is open
                with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
                    copy.write(_COPY_HEADER)
                    for batch in batches:
                        copy.write(batch.copy_rows(self._attempt_id, next(parts)))
                    copy.write(_COPY_TRAILER)

        return StagingPartition(write, _BATCH_BYTES, self._monitor, lambda batch: len(batch.encoded))


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
