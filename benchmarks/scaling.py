"""How far it scales: what a commit and the rest of an ingest take here, and how much of it fills a day.

``python -m benchmarks.scaling [--runs 5]`` (``make scaling``) rewrites the figures of docs/scaling.md. Two processes
ingest objects of the same customers and the same day, in which every duration has occurred already. Of several runs
the fastest counts: what disturbs a run only adds to its time.
"""

import argparse
import gc
import platform
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median

import psutil
import psycopg

from benchmarks import database
from benchmarks.cost import Load
from benchmarks.figures import renew, table
from local.generator import DURATIONS_MS, Traffic
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from processor.context import Context
from processor.ingest import Ingestor
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
DAY = 86_400.0
BYTES_PER_LINE = 56  # of the generated logs
CONNECTIONS_PER_PROCESSOR = 3  # one for the attempt, and one for each of two worker threads that hold much
PROCESSORS = 10  # at most, as cdk.json has it for `prod`
SIZES = ((1, 100), (64, 100), (64, 1_000), (64, 10_000))
"""MB, and customers in each, of the objects that are ingested."""

Times = tuple[float, float]
"""Seconds outside the commit and of it."""


def limits(times: Times, megabytes: float) -> tuple[float, float]:
    """Return how many TB a day fill the lock of the commits, and all processors."""
    outside, commit = times
    busy = max(outside, megabytes / Load.mb_per_second) + commit  # S3 may be slower than the parser
    lock, processors = (DAY * each * megabytes / 1e6 for each in (1 / commit, PROCESSORS / busy))
    return lock, processors


def figures(measured: Mapping[tuple[int, int], Times]) -> str:
    """Return the page's table, and what it means for one of its rows."""
    rows: list[tuple[str, ...]] = [
        ("MB, customers", "outside the commit, ms", "commit, ms", "TB: lock", f"{PROCESSORS} processors")
    ]
    for (megabytes, customers), times in measured.items():
        full = limits(times, megabytes)
        bold = [f"**{_short(tb)}**" if tb == min(full) else _short(tb) for tb in full]
        rows.append(
            (f"{megabytes:,}, {customers:,}", *(_short(each * 1e3) for each in times), bold[0], bold[1])
        )
    commit = measured[64, 1_000][1]
    example = f"For example, a commit of 1,000 customers takes {commit * 1e3:.0f} ms, so a day has room for {DAY / commit:,.0f}."
    return f"{table(*rows)}\n\n{example}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


def every_duration(customers: int) -> Iterator[bytes]:
    """Yield a log in which each customer has a request of every duration."""
    for customer in range(1, customers + 1):
        start = f"2024-10-03 12:00:00 cust_{customer} /a 200 "
        yield "".join(f"{start}{ms // 1000}.{ms % 1000:03}\n" for ms in DURATIONS_MS).encode()


def run(server: EmbeddedPostgres, folder: Path, lines: int, customers: int, objects: int = 8) -> Times:
    """Ingest into a new database; return the times of the median object."""
    paths = [folder / f"{lines}-{customers}-{seed}.log" for seed in range(objects)]
    for seed, path in enumerate(paths):
        if not path.exists():
            path.write_bytes(b"".join(Traffic(seed, days=1, customers=customers).log(lines)))
    first = folder / f"{customers}.log"
    first.write_bytes(b"".join(every_duration(customers)))
    url, context = server.create_database("run", template="logstats"), get_context("spawn")
    with ProcessPoolExecutor(2, context, _prepare, (url, folder)) as pool:
        pool.submit(_ingest, first).result()
        times = list(pool.map(_ingest, paths))
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        connection.execute("DROP DATABASE run WITH (FORCE)")
    outside, commit = map(
        median, zip(*times[2:], strict=True)
    )  # each process connects and compiles at its first
    return outside, commit


_worker: Ingestor  # of an ingesting process


def _prepare(url: str, folder: Path) -> None:
    global _worker  # noqa: PLW0603 - the executor has no other place for it
    gc.freeze()  # as the function does
    engine = create_engine(DatabaseSettings(url=url, tls="disable", iam_auth=False), max_overflow=-1)
    _worker = Ingestor(engine, LocalRejectStore(folder / "rejected"), workers=1)


def _ingest(path: Path) -> Times:
    context, started = Context(), time.monotonic()
    _worker.ingest_file(LocalFile.at(path), context)
    commit = context.commit_seconds
    return time.monotonic() - started - commit, commit


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--runs", type=int, default=5, help="of each size; the fastest counts")
    rounds, measured, load = parser.parse_args().runs, {}, psutil.getloadavg()[0]
    with database.running("max_wal_size = '8GB'\n") as (server, folder):
        for megabytes, customers in SIZES:
            lines = round(megabytes * 1e6 / BYTES_PER_LINE)
            measured[megabytes, customers] = min(
                (run(server, folder, lines, customers) for _ in range(rounds)), key=sum
            )
            print(megabytes, customers, measured[megabytes, customers], flush=True)
            for log in folder.glob("*.log"):
                log.unlink()
    cores = f"{psutil.cpu_count()} cores ({platform.machine()}), CPython {platform.python_version()}"
    renew(
        PAGE,
        f"Machine: {cores}, load {load:.1f} just before; the fastest of {rounds} runs.\n\n{figures(measured)}",
    )


if __name__ == "__main__":
    main()
