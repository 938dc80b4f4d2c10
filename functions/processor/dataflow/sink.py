"""Bytewax sink that stages rows under an attempt, where nothing reads them until the commit."""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain, count

import psycopg
import sqlalchemy as sa
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from logstats import native, rows
from logstats.domain.batch import SummaryBatch
from logstats.models import Contribution
from processor.dataflow.flow import Report, Staged
from processor.dataflow.report import PartReport
from processor.dataflow.worker_errors import WorkerErrors
from processor.ledger import attempts

Item = Staged | Report

_COPY = f"COPY {Contribution.__tablename__} ({', '.join(rows.COPY)}) FROM STDIN (FORMAT BINARY)"
_COPY_HEADER = b"PGCOPY\n\xff\r\n\0" + bytes(8)
_COPY_TRAILER = b"\xff\xff"
_BATCH_BYTES = 16 << 20
_PIECE_BYTES = 256 << 10
_MAKE_PARTITIONS = sa.text(
    "SELECT make_partitions(:days) WHERE EXISTS (SELECT FROM unnest(:days) AS day"
    " WHERE to_regclass('contributions' || to_char(day, '_YYYY_MM')) IS NULL)"
)
"""Does not call the function where there is nothing to make: it waits for others that make partitions, to the end of what they write."""
_KEEP_PARTITIONS = sa.text("LOCK TABLE ONLY contributions IN ROW EXCLUSIVE MODE")
"""Until the transaction ends: one that is empty, and of a sealed month, may be dropped at any time."""
_MONTHS = 24
"""Whose partitions one transaction makes: each takes a dozen of the server's locks, of which it has a few thousand."""
_EPOCH = dt.date(1970, 1, 1)


class StagingPartition(StatelessSinkPartition[Item]):
    """One worker's writer; its errors are kept, since Bytewax would panic.

    What waits at the end is left to the caller of the flow (`StagingSink.finish`). `parts` keeps several partial
    summaries of one customer and day apart.
    """

    def __init__(self, sink: "StagingSink", parts: Iterator[int]) -> None:
        self._sink, self._parts = sink, parts
        self._waiting: list[tuple[int, SummaryBatch]] = []
        self._waiting_bytes = 0

    def write_batch(self, items: list[Item]) -> None:
        """Take items; write when enough have come."""
        for log, item in items:
            if isinstance(item, SummaryBatch):
                self._waiting.append((self._sink.attempt_ids[log], item))
                self._waiting_bytes += len(item.encoded)
            else:
                self._sink.reports[log].append(item)
        if self._waiting_bytes < _BATCH_BYTES or self._sink.errors.error:
            return
        try:
            with self._sink.engine.connect() as connection:
                self._sink.write(connection, [self])
        except Exception as error:  # noqa: BLE001 - raised again by `stage`
            self._sink.errors.fail(error)

    def months(self) -> set[dt.date]:
        """Return the first days of the months of what waits."""
        days = (next(native.records(batch.encoded))[1] for _, batch in self._waiting)
        return {(_EPOCH + dt.timedelta(day)).replace(day=1) for day in days}

    def forget(self) -> None:
        """Let go of what has been written."""
        self._waiting, self._waiting_bytes = [], 0

    def copy(self, connection: sa.Connection) -> None:
        """Write what waits, in the transaction of the caller."""
        batches = self._waiting
        if not batches:
            return
        driver = connection.connection.driver_connection
        assert driver is not None  # noqa: S101 - the connection is open
        with driver.cursor() as cursor, cursor.copy(_COPY) as copy:
            rows_of = (batch.copy_rows(attempt_id, next(self._parts)) for attempt_id, batch in batches)
            for piece in _in_pieces(chain([_COPY_HEADER], rows_of, [_COPY_TRAILER])):
                copy.write(piece)


def _in_pieces(parts: Iterable[bytes]) -> Iterator[bytes]:
    """Join small parts: each piece that is written costs as much as many rows; large ones are not copied."""
    waiting = bytearray()
    for part in parts:
        if len(waiting) + len(part) < _PIECE_BYTES:
            waiting += part
            continue
        yield bytes(waiting)
        yield part
        waiting.clear()
    yield bytes(waiting)


class StagingSink(DynamicSink[Item]):
    """Stages contributions with COPY, each log object's under its attempt, and keeps the reports of its byte ranges.

    Workers write when they hold much. The rest is written by whoever runs the flow: for most objects that is all,
    on the one connection that there is anyway, while the server inserts what this process encodes next.
    """

    def __init__(self, engine: sa.Engine, attempt_ids: Sequence[int], errors: WorkerErrors) -> None:
        self.engine, self.attempt_ids, self.errors = engine, attempt_ids, errors
        self.reports: list[list[PartReport]] = [[] for _ in attempt_ids]
        self._partitions: list[StagingPartition] = []

    def build(self, _step_id: str, worker_index: int, worker_count: int) -> StagingPartition:
        """Return the writer of one worker."""
        partition = StagingPartition(self, count(worker_index, worker_count))
        self._partitions.append(partition)
        return partition

    def finish(self, connection: sa.Connection) -> None:
        """Write the rest."""
        self.write(connection, self._partitions)

    def write(self, connection: sa.Connection, partitions: Sequence[StagingPartition]) -> None:
        """Write what waits, in a transaction; where a month has no partition in the database, with one that makes it first."""
        try:
            with connection.begin():
                self._write(connection, partitions)
        except psycopg.errors.CheckViolation as error:
            if error.diag.constraint_name is not None:
                raise
            months = sorted({month for partition in partitions for month in partition.months()})
            for start in range(0, len(months), _MONTHS):
                with connection.begin():
                    connection.execute(_MAKE_PARTITIONS, {"days": months[start : start + _MONTHS]})
            with connection.begin():
                connection.execute(_KEEP_PARTITIONS)
                connection.execute(_MAKE_PARTITIONS, {"days": months})
                self._write(connection, partitions)
        for partition in partitions:
            partition.forget()

    def _write(self, connection: sa.Connection, partitions: Sequence[StagingPartition]) -> None:
        attempts.lock(connection, self.attempt_ids)
        for partition in partitions:
            partition.copy(connection)
