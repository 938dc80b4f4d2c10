"""Peek at a log object: its first bytes tell how it is compressed, and are a sample of its lines."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from processor.reading.compression import Compression, compression_of, decompress
from processor.reading.objects import SourceError, StoredObject, fill, source_of

HEAD_BYTES = 64 << 10
"""Read of each object before anything else, and looked at of its plain text."""
_LARGE_HEAD_BYTES = 1 << 20
"""Read instead if the others give no plain text: bzip2 gives none before its first 900 kB."""


@dataclass(frozen=True, slots=True)
class Head:
    """The first bytes of a log object, as stored, and the plain text that they begin with.

    Attributes
    ----------
    is_complete
        Whether `sample` is all of the object's plain text.
    """

    stored: bytes
    compression: Compression | None
    sample: bytes
    is_complete: bool

    @property
    def first_line(self) -> bytes:
        """The line with which the object begins, for people."""
        return self.sample.lstrip().partition(b"\n")[0]


def read_head(log: StoredObject) -> Head:
    """Read the first bytes of a log object; a `SourceError` if that fails.

    A stream that is corrupt is none: whoever reads the object finds out.
    """
    head = _read_head(log, HEAD_BYTES)
    return head if head.sample or head.is_complete else _read_head(log, _LARGE_HEAD_BYTES)


def _read_head(log: StoredObject, size: int) -> Head:
    stored = _read(log, min(log.size, size)) if log.size else b""
    compression = compression_of(stored)
    plain = _decompressed(stored, compression, source_of(log.bucket, log.key)) if compression else stored
    is_complete = len(stored) == log.size and len(plain) <= HEAD_BYTES
    return Head(stored, compression, plain[:HEAD_BYTES], is_complete)


def _read(log: StoredObject, size: int) -> bytes:
    opened = log.open_range(0, size)
    try:
        buffer = bytearray(size)
        return bytes(buffer[: fill(opened, memoryview(buffer))])
    finally:
        opened.close()


def _decompressed(stored: bytes, compression: Compression, name: str) -> bytes:
    """Return the plain text as far as it can be read, and a little more than is looked at."""
    plain = b""
    with suppress(SourceError):
        for piece in decompress(compression, _in_pieces(stored), HEAD_BYTES, name):
            plain += piece
            if len(plain) > HEAD_BYTES:
                break
    return plain


def _in_pieces(stored: bytes) -> Iterator[bytes]:
    for at in range(0, len(stored), HEAD_BYTES):
        yield stored[at : at + HEAD_BYTES]
