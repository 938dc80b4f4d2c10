"""What is ingested to measure costs: many log objects by several processes at once, and what that took."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import psycopg

from benchmarks.scaling.cpu import family_seconds
from local import postgres
from local.generator import DURATIONS_MS, Traffic
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from migrate import schema


@dataclass(frozen=True, slots=True)
class Workload:
    """Log objects of one day, all with the same customers.

    Attributes
    ----------
    objects
        How many.
    lines, customers
        Of each.
    """

    objects: int
    lines: int
    customers: int

    @property
    def rows(self) -> int:
        """Customer-days that each object touches (nearly all customers occur)."""
        return self.customers

    @property
    def buckets(self) -> float:
        """Buckets of all histograms together: the durations that differ, of those that the generator draws from."""
        durations = len(DURATIONS_MS)
        share: float = 1 - (1 - 1 / durations) ** (self.lines / self.customers)
        return self.rows * durations * share


@dataclass(frozen=True, slots=True)
class Measured:
    """What a workload took.

    Attributes
    ----------
    seconds
        From the first ingest to the end of the last.
    processor_cpu, database_cpu
        CPU seconds of the ingesting processes, without their start, and of PostgreSQL.
    commit_seconds
        Seconds in commits, summed over all objects.
    row_bytes
        Of a contribution on disk, with its share of the indexes.
    """

    seconds: float
    processor_cpu: float
    database_cpu: float
    commit_seconds: float
    row_bytes: float


@contextmanager
def database() -> Iterator[EmbeddedPostgres]:
    """An empty PostgreSQL that, unlike the tests', waits for its disk."""
    with tempfile.TemporaryDirectory(prefix="logstats-scaling-", ignore_cleanup_errors=True) as folder:
        server = postgres.start(Path(folder) / "postgres")
        try:
            yield server
        finally:
            server.stop()


def run(server: EmbeddedPostgres, name: str, workload: Workload, processes: int) -> Measured:
    """Ingest a workload into a new database, spread over processes that start together."""
    server.create_database(name)
    engine = create_engine(server.settings(name))
    schema.upgrade(engine)
    engine.dispose()
    postmaster = psutil.Process(server.server.get_pid())
    with tempfile.TemporaryDirectory() as folder:
        paths = [_object(Path(folder), workload, seed) for seed in range(workload.objects)]
        children = [_start(server.url(name), paths[index::processes]) for index in range(processes)]
        for child in children:
            assert child.stdout
            child.stdout.readline()  # ready: all is imported, and the connection open
        before, started = family_seconds(postmaster), time.monotonic()
        for child in children:
            assert child.stdin
            child.stdin.write("go\n")
            child.stdin.flush()
        results = [json.loads(child.communicate()[0]) for child in children]
        seconds, after = time.monotonic() - started, family_seconds(postmaster)
    return Measured(
        seconds,
        sum(result["cpu"] for result in results),
        after - before,
        sum(result["commit_seconds"] for result in results),
        _row_bytes(server.url(name)),
    )


def _row_bytes(url: str) -> float:
    size = b"SELECT pg_total_relation_size('contributions')::float / count(*) FROM contributions"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM contributions")
        row = connection.execute(size).fetchone()
    assert row
    found: float = row[0]
    return found


def _object(folder: Path, workload: Workload, seed: int) -> Path:
    path = folder / f"{seed}.log"
    path.write_bytes(b"".join(Traffic(seed, days=1, customers=workload.customers).log(workload.lines)))
    return path


def _start(url: str, paths: list[Path]) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "benchmarks.scaling.child", url, *map(str, paths)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
