"""Logs as files, and their ingests."""

from collections.abc import Iterable
from pathlib import Path

from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.reading.objects import LocalFile
from tests.logs import as_bytes


def log_file(path: Path, data: bytes | Iterable[str]) -> LocalFile:
    """Write bytes, or lines, to a file."""
    path.write_bytes(data if isinstance(data, bytes) else as_bytes(list(data)))
    return LocalFile.at(path)


def ingest(ingestor: Ingestor, path: Path, data: bytes | Iterable[str]) -> IngestSummary:
    return ingestor.ingest_file(log_file(path, data))
