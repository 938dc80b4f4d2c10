"""This project, all of it: dataflow, staging, and the commit to an embedded PostgreSQL on the same cores.

The process has ingested a log before, as a warm function has: it is connected, and its statements are compiled.
"""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import sqlalchemy as sa

from benchmarks import database
from benchmarks.peers import Row
from logstats.database import create_engine
from logstats.models import DailyStatistics
from processor.ingest import Ingestor
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore

Prepared = AbstractContextManager[Callable[[Path, int], Callable[[], list[Row]]]]

WARM_UP = b"2024-09-03 12:00:00 warm-up /a 200 0.1\n"


@contextmanager
def prepared(warm_up: bytes = WARM_UP) -> Iterator[Callable[[Path, int], Callable[[], list[Row]]]]:
    """Start an empty database; yield what ingests a file, and returns what reads the rows back."""
    with database.running() as (server, folder):
        engine = create_engine(server.settings(), max_overflow=-1)

        def ingest(path: Path, threads: int) -> None:
            store = LocalRejectStore(folder / "rejected")
            Ingestor(engine, store, workers=threads).ingest_file(LocalFile.at(path))

        def aggregate(path: Path, threads: int) -> Callable[[], list[Row]]:
            ingest(path, threads)
            return lambda: _rows(engine)

        if warm_up:
            log = folder / "warm-up.log"
            log.write_bytes(warm_up)
            ingest(log, 2)
        try:
            yield aggregate
        finally:
            engine.dispose()


def _rows(engine: sa.Engine) -> list[Row]:
    table = DailyStatistics
    columns = (
        table.customer_id,
        sa.cast(table.date, sa.Text),
        table.total_requests,
        table.client_errors,
        table.server_errors,
        table.duration_sum_us,
        table.duration_p50_us,
        table.duration_p90_us,
        table.duration_p95_us,
        table.duration_p99_us,
        table.duration_max_us,
    )
    with engine.connect() as connection:
        return [
            (row[0], row[1], row[2], row[3], row[4], int(row[5]), row[6], row[7], row[8], row[9], row[10])
            for row in connection.execute(sa.select(*columns).where(table.customer_id != "warm-up"))
        ]
