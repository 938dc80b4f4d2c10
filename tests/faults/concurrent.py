"""Many ingests at once, over the same customers and days: in threads, or in processes."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path

import sqlalchemy as sa

from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from processor.ingest import Ingestor
from processor.ledger import transaction
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore
from tests.logs import as_bytes, random_lines


def lines_of(number: int, lines: int) -> list[str]:
    """The log of one of the concurrent files."""
    return random_lines(number, lines, customers=40, days=5)


def write(folder: Path, files: int, lines: int) -> list[Path]:
    """Write so many logs."""
    paths = [folder / f"{number}.log" for number in range(files)]
    for number, path in enumerate(paths):
        path.write_bytes(as_bytes(lines_of(number, lines)))
    return paths


def ingest_in_threads(url: sa.URL, paths: list[Path]) -> list[str | None]:
    """Ingest files in as many threads, and return the outcomes; the first error is raised."""
    engine = sa.create_engine(url, pool_size=4 * len(paths))
    try:
        with ThreadPoolExecutor(len(paths)) as threads:
            return list(threads.map(lambda path: _ingest(engine, path), paths))
    finally:
        engine.dispose()


def ingest_in_processes(url: str, paths: list[Path]) -> list[str | None]:
    """Ingest files in as many processes, which start at once, each with one try per commit and its own connections."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.faults.concurrent"])
    start = context.Barrier(len(paths))
    with ProcessPoolExecutor(len(paths), context, _wait_for_all, (start,)) as processes:
        return list(processes.map(_ingest_alone, [url] * len(paths), paths))


def _wait_for_all(start: Barrier) -> None:
    transaction._TRIES = 1  # the order of locks alone must prevent deadlocks
    start.wait(timeout=120)


def _ingest_alone(url: str, path: Path) -> str | None:
    engine = create_engine(DatabaseSettings(url=url, tls="disable", iam_auth=False), max_overflow=-1)
    try:
        return _ingest(engine, path)
    finally:
        engine.dispose()


def _ingest(engine: sa.Engine, path: Path) -> str | None:
    ingestor = Ingestor(engine, LocalRejectStore(path.parent / "rejected"), workers=1)
    return ingestor.ingest_file(LocalFile.at(path)).outcome
