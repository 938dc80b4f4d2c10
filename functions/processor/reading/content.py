"""The content of a local file: its digest, and whether it begins with what a log object held before."""

import os
import sys
from collections.abc import Iterator
from dataclasses import replace

from blake3 import blake3

from processor.reading.compression import compression_of, decompress
from processor.reading.lines import BLOCK_BYTES, CHUNK_BYTES, ChunkDigests, stored_blocks
from processor.reading.objects import LocalFile, fill, source_of
from processor.reading.readable import ReadableLog

_DIGEST_BYTES = 32
_SEARCHED_BYTES = 64 << 10


def digest_of(chunk_digests: bytes) -> str:
    """Return the digest of content whose chunks have these digests: it does not depend on how an object was divided."""
    return blake3(chunk_digests).hexdigest()


def digest_chunks(log: ReadableLog) -> tuple[bytes, int]:
    """Digest a log object's content without reading its lines; a `SourceError` if it cannot be read.

    Return the digests of its chunks, and its size.
    """
    digests = ChunkDigests()
    for block in _content(log):
        digests.add(block)
    digests.finish()
    return b"".join(iter(digests.take, b"")), digests.size


def begins_with(log: ReadableLog, chunk_digests: bytes, size: int, digest: str) -> bool:
    """Tell whether a log object, whose chunks have some digests, begins with content of a size and a digest.

    It has at least so many bytes. Only the chunk in which they end is read again.
    """
    whole, rest = divmod(size, CHUNK_BYTES)
    known = chunk_digests[: whole * _DIGEST_BYTES]
    if rest:
        hasher = blake3()
        for block in _content(log, size - rest, size):
            hasher.update(block)
        known += hasher.digest()
    return digest_of(known) == digest


def begins_unchanged(file: LocalFile, chunk_digests: bytes) -> bool:
    """Tell whether a file still begins with the chunk that was read of it: one that was written anew does not."""
    size = min(file.size, CHUNK_BYTES)
    hasher, buffer = blake3(), bytearray(size)
    opened = file.open_range(0, size)
    try:
        hasher.update(memoryview(buffer)[: fill(opened, memoryview(buffer))])
    finally:
        opened.close()
    return chunk_digests[:_DIGEST_BYTES] == (hasher.digest() if size else b"")


def cut_at_line_end(file: LocalFile) -> LocalFile:
    """Return a file as far as its lines are whole; one that is compressed as it is, since it does not consist of lines."""
    with open(file.path, "rb") as opened:  # noqa: PTH123 - a descriptor's path, for one
        if compression_of(opened.read(_SEARCHED_BYTES)):
            return file
        at = file.size
        while at:
            start = max(0, at - _SEARCHED_BYTES)
            found = os.pread(opened.fileno(), at - start, start).rfind(b"\n")
            if found >= 0:
                return replace(file, size=start + found + 1)
            at = start
    return replace(file, size=0)


def _content(log: ReadableLog, start: int = 0, end: int = sys.maxsize) -> Iterator[bytes]:
    """Yield what the digests are of, from `start` up to `end` at most, block by block."""
    compression = log.head.compression if log.is_content_decompressed else None
    opened = log.open_range(0, log.size) if compression else log.open_range(start, min(end, log.size))
    try:
        if compression is None:
            yield from stored_blocks(opened)
            return
        at = 0
        for block in decompress(
            compression, stored_blocks(opened), BLOCK_BYTES, source_of(log.bucket, log.key)
        ):
            yield block[max(0, start - at) : max(0, end - at)]
            at += len(block)
            if at >= end:
                return
    finally:
        opened.close()
