"""Many ingests at once, over the same customers and days: in threads, or in processes."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from multiprocessing.process import BaseProcess
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
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


def ingest_at_once(url: sa.URL, folder: Path, files: int, lines: int) -> list[IngestSummary]:
    """Ingest so many files in as many threads; the first error is raised."""
    engine = sa.create_engine(url, pool_size=4 * files)
    ingestor = Ingestor(engine, LocalRejectStore(folder / "rejected"), workers=1)
    try:
        with ThreadPoolExecutor(files) as threads:
            return list(
                threads.map(
                    lambda path: ingestor.ingest_file(LocalFile.at(path)), write(folder, files, lines)
                )
            )
    finally:
        engine.dispose()


@contextmanager
def an_ingestor(database: DatabaseSettings, folder: Path) -> Iterator[Ingestor]:
    """An ingestor of one worker, and one try per commit: the order of locks alone must prevent deadlocks."""
    engine = create_engine(database, max_overflow=-1)
    transaction._TRIES = 1
    try:
        yield Ingestor(engine, LocalRejectStore(folder), workers=1)
    finally:
        engine.dispose()


def _ingest(url: str, path: Path, start: Barrier, outcomes: Any) -> None:  # noqa: ANN401 - a queue of a context
    """In a process of its own."""
    try:
        database = DatabaseSettings(url=url, tls="disable", iam_auth=False)
        with an_ingestor(database, path.parent / "rejected") as ingestor:
            start.wait(timeout=120)
            outcomes.put(ingestor.ingest_file(LocalFile.at(path)).outcome)
    except Exception as error:  # noqa: BLE001 - the parent raises it
        outcomes.put(f"{type(error).__name__}: {error}")


class Processes:
    """One process per file; all wait until `ready` lets them start at once."""

    def __init__(self, database: DatabaseSettings, paths: list[Path]) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.faults.concurrent"])
        self._outcomes: Any = context.Queue()
        self._start = context.Barrier(len(paths) + 1)
        self._processes: list[BaseProcess] = [
            context.Process(target=_ingest, args=(database.url, path, self._start, self._outcomes))
            for path in paths
        ]
        for process in self._processes:
            process.start()

    def ready(self) -> None:
        """Wait until all are about to start; they start."""
        self._start.wait(timeout=120)

    def outcomes(self) -> list[str]:
        """What came of each; an error is its text."""
        found = [str(self._outcomes.get(timeout=300)) for _ in self._processes]
        for process in self._processes:
            process.join()
        return found
