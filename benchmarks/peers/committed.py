"""This project, all of it: dataflow, staging, and the commit to an embedded PostgreSQL on the same cores.

The process has ingested a log before, as a warm function has: it is connected, and its statements are compiled.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from benchmarks import database
from benchmarks.peers import Row
from logstats.database import create_engine
from processor.ingest import Ingestor
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore

WARM_UP = b"2024-09-03 12:00:00 warm-up /a 200 0.1\n"
ROWS = """
SELECT customer_id, date::text, total_requests, client_errors, server_errors, duration_sum_us::bigint,
    duration_p50_us, duration_p90_us, duration_p95_us, duration_p99_us, duration_max_us
FROM daily_statistics WHERE customer_id <> 'warm-up'
"""


@contextmanager
def prepared() -> Iterator[Callable[[Path, int], Callable[[], list[Row]]]]:
    """Start an empty database; yield what ingests a file, and returns what reads the rows back."""
    with database.running() as (server, folder):
        engine = create_engine(server.settings(), max_overflow=-1)

        def aggregate(path: Path, threads: int) -> Callable[[], list[Row]]:
            store = LocalRejectStore(folder / "rejected")
            Ingestor(engine, store, workers=threads).ingest_file(LocalFile.at(path))
            return rows

        def rows() -> list[Row]:
            with engine.connect() as connection:
                return [(*row,) for row in connection.execute(sa.text(ROWS))]

        log = folder / "warm-up.log"
        log.write_bytes(WARM_UP)
        aggregate(log, 2)
        try:
            yield aggregate
        finally:
            engine.dispose()
