"""Logs as files, and their ingests."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.reading.head import read_head
from processor.reading.objects import LocalFile, StoredObject
from processor.reading.readable import ReadableLog, recognise
from processor.reading.rules import FormatRule
from tests.logs import as_bytes

NATIVE = (FormatRule(format="logstats"),)
"""For logs that are broken all through."""


def readable(stored: StoredObject) -> ReadableLog:
    """A log object in the native format."""
    return recognise(stored, read_head(stored), NATIVE)


def log_file(path: Path, data: bytes | Iterable[str]) -> LocalFile:
    """Write bytes, or lines, to a file."""
    path.write_bytes(data if isinstance(data, bytes) else as_bytes(list(data)))
    return LocalFile.at(path)


def ingest(ingestor: Ingestor, path: Path, data: bytes | Iterable[str]) -> IngestSummary:
    """Write a file, and ingest it whatever its name counted before."""
    return replace(ingestor, replaces=True).ingest_file(log_file(path, data))
