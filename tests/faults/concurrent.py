"""Many ingests at once, over the same customers and days."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import sqlalchemy as sa

from processor.ingest import Ingestor, IngestSummary
from processor.objects import LocalFile
from processor.rejects import LocalRejectStore
from tests.logs import as_bytes, random_lines


def lines_of(number: int, lines: int) -> list[str]:
    """The log of one of the concurrent files."""
    return random_lines(number, lines, customers=40, days=5)


def ingest_at_once(url: sa.URL, folder: Path, files: int, lines: int) -> list[IngestSummary]:
    """Ingest so many files in as many threads; the first error is raised."""
    engine = sa.create_engine(url, pool_size=4 * files)
    ingestor = Ingestor(engine, LocalRejectStore(folder / "rejected"), workers=1)

    def ingest(number: int) -> IngestSummary:
        path = folder / f"{number}.log"
        path.write_bytes(as_bytes(lines_of(number, lines)))
        return ingestor.ingest_file(LocalFile.at(path))

    try:
        with ThreadPoolExecutor(files) as threads:
            return list(threads.map(ingest, range(files)))
    finally:
        engine.dispose()
