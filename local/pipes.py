"""Standard input and pipes as log objects: they are read more than once, so they are copied to a file first."""

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Timer
from typing import IO

from processor.context import Context
from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.reading.objects import LocalFile, SourceError
from processor.sources import Source

_PATIENCE_SECONDS = 1.0
_STANDARD_INPUT = ("-", "/dev/stdin")


def is_pipe(source: str) -> bool:
    """Tell whether a source is standard input, or a pipe."""
    if source == "-":
        return True
    try:
        mode = Path(source).stat().st_mode
    except OSError:
        return False
    return stat.S_ISFIFO(mode) or (source in _STANDARD_INPUT and not stat.S_ISREG(mode))


def needs_name(source: str) -> bool:
    """Tell whether a pipe has no name of its own, by which the ledger could know it again."""
    return source == "-" or not Path(source).resolve().exists()


def pipe_source(path: str, name: str | None, *, is_rotated: bool) -> Source:
    """Return what comes through a pipe, which is known by its path or a name, and if it `is_rotated` by how it begins."""
    key = name or str(Path(path).resolve())

    def ingest(ingestor: Ingestor, context: Context) -> IngestSummary:
        with _copied(path, key) as file:
            if is_rotated:
                return ingestor.ingest_rotated(lambda: file, key, context)
            return ingestor.ingest_file(file, context)

    return Source(path, 0, ingest)


@contextmanager
def _copied(path: str, key: str) -> Iterator[LocalFile]:
    """Copy what comes through a pipe to a file without a name, which is gone when this process is."""
    with tempfile.TemporaryFile(prefix="logstats-") as copy:
        try:
            with opened(path) as pipe:
                shutil.copyfileobj(pipe, copy, 1 << 20)
            copy.flush()
        except OSError as error:
            where = tempfile.gettempdir()
            raise SourceError(f"{path}: it cannot be copied to {where}: {error.strerror}") from error
        status = os.fstat(copy.fileno())
        copied = f"/dev/fd/{copy.fileno()}"
        yield LocalFile(copied, key, status.st_size, status.st_mtime_ns, status.st_ino)


@contextmanager
def opened(path: str) -> Iterator[IO[bytes]]:
    """Open a pipe, and say so if that takes long: it waits for whoever is to write."""
    if path in _STANDARD_INPUT:
        if sys.stdin is None:
            raise SourceError(f"{path}: standard input is closed")
        yield sys.stdin.buffer
        return

    def tell() -> None:
        print(f"{path}: it is a pipe that nobody writes to; waiting for somebody", file=sys.stderr)

    patience = Timer(_PATIENCE_SECONDS, tell)
    patience.daemon = True
    patience.start()
    try:
        pipe = open(path, "rb")  # noqa: SIM115, PTH123 - closed below; the name is as it was given
    finally:
        patience.cancel()
    with pipe:
        yield pipe
