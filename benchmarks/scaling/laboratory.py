"""Where workloads are ingested: a PostgreSQL and log objects of its own, and processes that start together."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import psutil
import psycopg

from benchmarks.scaling.child import Times
from benchmarks.scaling.cpu import family_seconds, machine_seconds
from benchmarks.scaling.workload import Measured, Workload
from local import postgres
from local.generator import Traffic
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from migrate import schema


class Laboratory:
    """An empty PostgreSQL that, unlike the tests', waits for its disk, and a folder of log objects."""

    def __init__(self, server: EmbeddedPostgres, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._names = map("run_{}".format, count())
        server.create_database("empty")
        engine = create_engine(server.settings("empty"))
        schema.upgrade(engine)
        engine.dispose()

    @property
    def postmaster(self) -> int:
        """PostgreSQL's process."""
        return int(self._server.server.get_pid())

    def year(self) -> str:
        """Return the URL of a database with a year of statistics."""
        log = self._folder / "year.log"
        log.write_bytes(b"".join(Traffic(days=366, customers=5).log(50_000)))
        url = self._server.create_database("year", template="empty")
        child = _start(url, [log])
        _line(child)
        child.communicate("go\n")
        self._execute("year", "VACUUM ANALYZE")
        return url

    def run(self, workload: Workload, processes: int, *, apart: bool = False) -> Measured:
        """Ingest a workload into a new database, spread over processes that start together.

        `apart` gives each process the whole workload and a database of its own: they share nothing but the machine.
        """
        databases = [next(self._names) for _ in range(processes if apart else 1)]
        for name in databases:
            self._server.create_database(name, template="empty")
        try:
            return self._run(workload, [databases[i % len(databases)] for i in range(processes)], apart=apart)
        finally:
            for name in databases:  # many databases keep autovacuum busy
                self._execute("postgres", f'DROP DATABASE "{name}" WITH (FORCE)')

    def _run(self, workload: Workload, databases: list[str], *, apart: bool) -> Measured:
        paths = [self._object(workload, seed) for seed in range(workload.objects)]
        shares = [paths if apart else paths[index :: len(databases)] for index in range(len(databases))]
        children = [
            _start(self._server.url(name), share) for name, share in zip(databases, shares, strict=True)
        ]
        for child in children:
            _line(child)  # ready: all is imported, and the first connections are open
        self._execute("postgres", "CHECKPOINT")
        postmaster = psutil.Process(self.postmaster)
        before, busy, started = family_seconds(postmaster), machine_seconds(), time.monotonic()
        for child in children:
            assert child.stdin
            child.stdin.write("go\n")
            child.stdin.flush()
        results = [_line(child) for child in children]
        seconds, busy = time.monotonic() - started, machine_seconds() - busy
        database_cpu = family_seconds(postmaster) - before
        for child in children:
            child.communicate()
        ingests = [[Times(**times) for times in json.loads(result)] for result in results]
        return Measured(seconds, ingests, database_cpu, self._row_bytes(databases[0]), busy)

    def _row_bytes(self, database: str) -> float:
        self._execute(database, "VACUUM contributions")
        size = "SELECT pg_total_relation_size('contributions')::float / count(*) FROM contributions"
        found: float = self._execute(database, size)
        return found

    def _execute(self, database: str, statement: str) -> float:
        with psycopg.connect(self._server.url(database), autocommit=True) as connection:
            cursor = connection.execute(statement.encode())
            row = cursor.fetchone() if cursor.description else None
            return row[0] if row else 0.0

    def _object(self, workload: Workload, seed: int) -> Path:
        """Return a log object; they are generated once."""
        path = self._folder / f"{workload.lines}-{workload.customers}-{seed}.log"
        if not path.exists():
            path.write_bytes(
                b"".join(Traffic(seed, days=1, customers=workload.customers).log(workload.lines))
            )
        return path


@contextmanager
def laboratory() -> Iterator[Laboratory]:
    """Start the server; all is gone at the end."""
    with tempfile.TemporaryDirectory(prefix="logstats-scaling-", ignore_cleanup_errors=True) as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            yield Laboratory(server, Path(folder))
        finally:
            server.stop()


def _start(url: str, paths: list[Path]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.scaling.child", url, *map(str, paths)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _line(child: "subprocess.Popen[str]") -> str:
    assert child.stdout
    line = child.stdout.readline()
    if not line:
        raise SystemExit(f"an ingesting process has failed: exit code {child.wait()}")
    return line
