"""This project with zlib in place of ISA-L: what gzip costs without it."""

import zlib
from dataclasses import replace
from pathlib import Path

from benchmarks.peers import Row, ours
from processor.reading import compression


class _Zlib:
    """One stream; the state of `zlib`'s own has other names for the same."""

    def __init__(self) -> None:
        self._stream = zlib.decompressobj(zlib.MAX_WBITS | 16)

    @property
    def eof(self) -> bool:
        return self._stream.eof

    @property
    def needs_input(self) -> bool:
        return not self._stream.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._stream.unused_data

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        return self._stream.decompress(self._stream.unconsumed_tail + data, max_length)


def aggregate(path: Path, threads: int) -> list[Row]:
    gzip, *others = compression.COMPRESSIONS
    compression.COMPRESSIONS = (replace(gzip, decompressor=_Zlib, error=zlib.error), *others)  # type: ignore[assignment]  # as many as there were
    return ours.aggregate(path, threads)
