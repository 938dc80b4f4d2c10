"""One ingesting process: warms up, says "ready", waits for a line, ingests its files, prints what each took.

It ends when nobody writes to it any more: its sessions stay until their CPU time has been read.
"""

import datetime as dt
import gc
import json
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa

import processor.ingest
from benchmarks.scaling.cpu import own_seconds
from local.generator import Traffic
from logstats.database import create_engine
from logstats.models import LogObject
from logstats.settings import DatabaseSettings
from processor.ingest import Ingestor
from processor.ledger.commit import commit
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore

_WARM_UP_DAY = dt.date(2000, 1, 1)
_LOCK = "pg_advisory_xact_lock("  # of the customers' stripes: the only statement of a commit that has it


@dataclass(slots=True)
class Times:
    """Seconds of one ingest: all of it, waiting for the lock of its customers, and holding it.

    The rest are CPU seconds: of this process in all and while holding the lock, of the lock's session in
    PostgreSQL while holding it.
    """

    seconds: float = 0.0
    wait: float = 0.0
    held: float = 0.0
    cpu: float = 0.0
    held_cpu: float = 0.0
    held_database_cpu: float = 0.0

    @property
    def outside(self) -> float:
        """Seconds in which it neither waits for the lock nor holds it."""
        return self.seconds - self.wait - self.held


@dataclass(slots=True)
class Stopwatch:
    """Sees a commit from outside: when its lock is asked for, when it has it, and when the commit returns."""

    times: Times = field(default_factory=Times)
    _asked: float = 0.0
    _has: tuple[float, float, float] | None = None

    def listen(self, engine: sa.Engine) -> None:
        """Watch the statements of an engine."""
        sa.event.listen(engine, "before_cursor_execute", self._before)
        sa.event.listen(engine, "after_cursor_execute", self._after)

    def commit(self, connection: sa.Connection, *arguments: Any) -> LogObject:  # noqa: ANN401 - passed on
        """Commit; the lock is let go of with the transaction."""
        self._has = None
        row = commit(connection, *arguments)
        if self._has is None:
            raise RuntimeError(
                f"the commit has not taken its lock by {_LOCK}...): this benchmark is out of date"
            )
        held, cpu, database_cpu = (now - then for now, then in zip(_now(connection), self._has, strict=True))
        self.times.held, self.times.held_cpu, self.times.held_database_cpu = held, cpu, database_cpu
        return row

    def _before(self, _connection: sa.Connection, _cursor: object, statement: str, *_: object) -> None:
        if _LOCK in statement:
            self._asked = time.monotonic()

    def _after(self, connection: sa.Connection, _cursor: object, statement: str, *_: object) -> None:
        if _LOCK in statement:
            self._has = _now(connection)
            self.times.wait += self._has[0] - self._asked


def _now(connection: sa.Connection) -> tuple[float, float, float]:
    session: Any = connection.connection.driver_connection
    return time.monotonic(), time.process_time(), own_seconds(session.info.backend_pid)


def main() -> None:
    url, *paths = sys.argv[1:]
    gc.freeze()  # as the function does
    engine = create_engine(DatabaseSettings(url=url, tls="disable", iam_auth=False), max_overflow=-1)
    stopwatch, done = Stopwatch(), []
    stopwatch.listen(engine)
    with tempfile.TemporaryDirectory() as folder, patch.object(processor.ingest, "commit", stopwatch.commit):
        ingestor = Ingestor(engine, LocalRejectStore(Path(folder)), workers=1)
        warm_up = Path(folder) / "warm-up.log"
        for seed in range(2):  # another day than the measured ones; the second is merged with the first
            warm_up.write_bytes(b"".join(Traffic(seed, days=1, customers=1, end=_WARM_UP_DAY).log(100)))
            ingestor.ingest_file(LocalFile.at(warm_up))
        print("ready", flush=True)
        sys.stdin.readline()
        for path in paths:
            stopwatch.times = Times()
            started, cpu = time.monotonic(), time.process_time()
            ingestor.ingest_file(LocalFile.at(Path(path)))
            stopwatch.times.seconds = time.monotonic() - started
            stopwatch.times.cpu = time.process_time() - cpu
            done.append(asdict(stopwatch.times))
        print(json.dumps(done), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
