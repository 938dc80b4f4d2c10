"""Bytewax sink that stages rows under an attempt, where nothing reads them until the commit."""

import base64
from collections.abc import Iterator, Sequence
from itertools import count

import sqlalchemy as sa
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from logstats import rows
from logstats.domain.batch import SummaryBatch
from logstats.models import AttemptPart, Contribution
from processor.dataflow.flow import PartReport
from processor.dataflow.monitor import Monitor
from processor.ledger import attempts

Item = SummaryBatch | PartReport

_COPY = f"COPY {Contribution.__tablename__} ({', '.join(rows.COPY)}) FROM STDIN (FORMAT BINARY)"
_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TRAILER = b"\xff\xff"
_BATCH_BYTES = 16 << 20


class StagingPartition(StatelessSinkPartition[Item]):
    """One worker's writer; errors go to the monitor, since Bytewax would panic.

    What waits at the end is left to the caller of the flow (`StagingSink.finish`). `parts` keeps several partial
    summaries of one customer and day apart.
    """

    def __init__(self, engine: sa.Engine, attempt_id: int, parts: Iterator[int], monitor: Monitor) -> None:
        self._engine, self._attempt_id, self._parts, self._monitor = engine, attempt_id, parts, monitor
        self._waiting: list[Item] = []
        self._waiting_bytes = 0

    def write_batch(self, items: list[Item]) -> None:
        """Take items; write when enough have come."""
        self._waiting += items
        self._waiting_bytes += sum(map(_size, items))
        if self._waiting_bytes < _BATCH_BYTES or self._monitor.error:
            return
        try:
            with self._engine.begin() as connection:
                attempts.hold(connection, self._attempt_id)
                self.write(connection)
        except Exception as error:  # noqa: BLE001 - raised again by `stage`
            self._monitor.fail(error)

    def write(self, connection: sa.Connection) -> None:
        """Write what waits, in the transaction of the caller."""
        batches = [item for item in self._waiting if isinstance(item, SummaryBatch)]
        reports = [_part(self._attempt_id, item) for item in self._waiting if isinstance(item, PartReport)]
        self._waiting, self._waiting_bytes = [], 0
        if batches:
            self._copy(connection, batches)
        if reports:
            connection.execute(sa.insert(AttemptPart), reports)

    def _copy(self, connection: sa.Connection, batches: Sequence[SummaryBatch]) -> None:
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - the connection is open
        with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
            copy.write(_COPY_HEADER)
            for batch in batches:
                copy.write(batch.copy_rows(self._attempt_id, next(self._parts)))
            copy.write(_COPY_TRAILER)


class StagingSink(DynamicSink[Item]):
    """Stages contributions with COPY, and the reports of byte ranges.

    Workers write when they hold much. The rest is written by whoever runs the flow: for most objects that is all,
    on the one connection that there is anyway, while the server inserts what this process encodes next.
    """

    def __init__(self, engine: sa.Engine, attempt_id: int, monitor: Monitor) -> None:
        self._engine, self._attempt_id, self._monitor = engine, attempt_id, monitor
        self._partitions: list[StagingPartition] = []

    def build(self, _step_id: str, worker_index: int, worker_count: int) -> StagingPartition:
        """Return the writer of one worker."""
        parts = count(worker_index, worker_count)
        partition = StagingPartition(self._engine, self._attempt_id, parts, self._monitor)
        self._partitions.append(partition)
        return partition

    def finish(self, connection: sa.Connection) -> None:
        """Write what is left, in the transaction of the caller."""
        attempts.hold(connection, self._attempt_id)
        for partition in self._partitions:
            partition.write(connection)


def _size(item: Item) -> int:
    if isinstance(item, SummaryBatch):
        return len(item.encoded)
    return sum(len(text) for _, _, text in item.rejects)


def _part(attempt_id: int, report: PartReport) -> dict[str, object]:
    return {
        "attempt_id": attempt_id,
        "part": report.part,
        "physical_lines": report.physical_lines,
        "accepted": report.accepted,
        "rejected_by_reason": report.rejected_by_reason,
        "size_bytes": report.size_bytes,
        "digests": report.digests,
        "rejects": [
            (line_number, reason, base64.b64encode(text).decode())
            for line_number, reason, text in report.rejects
        ],
    }
