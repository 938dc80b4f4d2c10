"""What an ingest has cost so far, whatever comes of it."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass(slots=True)
class Measurements:
    """Filled in while a log object is ingested; of the last try, when there are several.

    Attributes
    ----------
    size_bytes
        Of the object, as stored; 0 if it was not read.
    parse_seconds, commit_seconds
        Of the dataflow, which downloads, parses and stages; and of the commit.
    lost_connections
        Tries that a lost connection to the database has ended.
    """

    size_bytes: int = 0
    parse_seconds: float = 0
    commit_seconds: float = 0
    lost_connections: int = 0

    def clear(self) -> None:
        """Begin with the next object."""
        self.size_bytes, self.parse_seconds, self.commit_seconds, self.lost_connections = 0, 0, 0, 0

    @contextmanager
    def parsing(self, size_bytes: int) -> Iterator[None]:
        """Time the dataflow."""
        self.size_bytes, started = size_bytes, time.monotonic()
        yield
        self.parse_seconds = time.monotonic() - started

    @contextmanager
    def committing(self) -> Iterator[None]:
        """Time the commit."""
        started = time.monotonic()
        yield
        self.commit_seconds = time.monotonic() - started
