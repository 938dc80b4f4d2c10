"""Decompress what is stored, whatever its name: the first bytes tell how it was compressed."""

import bz2
import lzma
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from backports import zstd
from isal import igzip_lib

from processor.reading.objects import SourceError

_MOST_MEMORY = 256 << 20
"""The most that a stream of xz may ask for; its highest level needs 65 MiB. Zstandard has a limit of its own, 128 MiB."""
_SKIPPABLE = tuple(bytes([0x50 + i]) + b"\x2a\x4d\x18" for i in range(16))


class Decompressor(Protocol):
    """One stream: the interface of `bz2.BZ2Decompressor`, which all others share."""

    @property
    def eof(self) -> bool:
        """Tell whether the end of the stream was reached."""

    @property
    def needs_input(self) -> bool:
        """Tell whether only more input gives more output."""

    @property
    def unused_data(self) -> bytes:
        """The input behind the end of the stream."""

    def decompress(self, data: bytes, max_length: int = -1) -> bytes:
        """Take input, and return at most so many bytes of output."""


@dataclass(frozen=True, slots=True)
class Compression:
    """A way to compress: how a stream begins, what reads it, and how many stored bytes an ingest surely reads per second."""

    name: str
    magic: tuple[bytes, ...]
    decompressor: Callable[[], Decompressor]
    error: type[Exception]
    bytes_per_second: int


COMPRESSIONS = (
    Compression(
        "gzip",  # RFC 1952
        (b"\x1f\x8b\x08",),
        partial(igzip_lib.IgzipDecompressor, flag=igzip_lib.DECOMP_GZIP),
        igzip_lib.IsalError,  # type: ignore[arg-type]  # its stub has an instance
        5_000_000,
    ),
    Compression(
        "zstd",  # RFC 8878; parallel compressors begin with a frame to skip
        (b"\x28\xb5\x2f\xfd", *_SKIPPABLE),
        zstd.ZstdDecompressor,
        zstd.ZstdError,
        5_000_000,
    ),
    Compression(
        "bzip2",  # a level, and then pi, or the square root of pi where nothing is compressed
        tuple(
            b"BZh%d" % level + block
            for level in range(1, 10)
            for block in (b"1AY&SY", b"\x17\x72\x45\x38\x50\x90")
        ),
        bz2.BZ2Decompressor,
        OSError,
        500_000,
    ),
    Compression(
        "xz",  # https://tukaani.org/xz/xz-file-format.txt
        (b"\xfd7zXZ\0",),
        partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, _MOST_MEMORY),
        lzma.LZMAError,
        2_000_000,
    ),
)


def compression_of(head: bytes) -> Compression | None:
    """Return how an object with these first bytes is compressed; None if it is not."""
    return next((each for each in COMPRESSIONS if head.startswith(each.magic)), None)


def decompress(compression: Compression, blocks: Iterable[bytes], most: int, name: str) -> Iterator[bytes]:
    """Yield the plain text of stored blocks, at most `most` bytes at a time; no bytes where a block gives none.

    One stream follows the other, and zeros may pad them. A `SourceError` that has the object's `name`, if a stream is
    corrupt, or ends in the middle.
    """
    stream: Decompressor | None = None
    for block in blocks:
        data = block
        while data or (stream and not stream.needs_input):
            if stream is None:
                data = data.lstrip(b"\0")
                stream = compression.decompressor() if data else None
                continue
            try:
                plain = stream.decompress(data, most)
            except (compression.error, EOFError) as error:
                raise SourceError(f"{name}: not valid {compression.name}: {error}") from error
            yield plain
            data = b""
            if stream.eof:
                data, stream = stream.unused_data, None
        yield b""
    if stream is not None:
        raise SourceError(f"{name}: not valid {compression.name}: it ends in the middle")
