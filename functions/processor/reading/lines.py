"""Whole lines from a byte range of a log object.

A range owns the lines that *start* in it: it drops what precedes its first line start, and reads beyond its
end to finish its last line. Ranges that cover an object without overlap therefore read every line once. One module, though long: lines and
digests come from the same pass, plain or decompressed.
"""

from collections import deque
from collections.abc import Iterator

from blake3 import blake3

from logstats.domain.line import MAX_LINE_BYTES
from logstats.native import Aggregator
from processor.reading.compression import Compression, decompress
from processor.reading.objects import ByteRange, StoredObject, fill, source_of
from processor.reading.readahead import RunAhead

CHUNK_BYTES = 4 << 20
"""Each chunk of so many bytes has a digest. Ranges start at multiples of it, so that the digests of an object do not depend on how it was
divided."""
BLOCK_BYTES = 1 << 20
"""Read at a time, so that it is still in the processor's cache when it is digested and parsed."""

_TAIL_BYTES = 64 << 10
_STORED_BYTES = 64 << 10
"""Decompressed at a time: behind each stream's end, what is left of them is copied."""
_PLAIN_BYTES = 256 << 10
"""Decompressed at a time, at most: larger pieces come from the system each time, and their page faults cost as much as all else."""
_BOM = b"\xef\xbb\xbf"
_LF = b"\n"

# What is kept of an over-long line: one byte over the limit, and one that may turn out to be a CR.
_LONGEST = MAX_LINE_BYTES + 2


class LineBuffer:
    """Feeds whole lines to an aggregator, for which at most so many bytes come at a time; of an over-long line only the start is kept."""

    def __init__(
        self,
        aggregator: Aggregator,
        *,
        at_line_start: bool,
        at_start: bool = False,
        most: int = BLOCK_BYTES,
    ) -> None:
        self._aggregator = aggregator
        self._may_be_marked = at_start
        self._buffer = bytearray(_LONGEST + most)
        self._carry = 0
        self._skipping = not at_line_start
        self._dropping = False

    @property
    def has_open_line(self) -> bool:
        """Tell whether a line has started that no LF has ended yet."""
        return self._carry > 0

    def space(self, most: int) -> memoryview:
        """Return where the next bytes go."""
        return memoryview(self._buffer)[self._carry : self._carry + most]

    def advance(self, count: int) -> None:
        """Take the `count` bytes put into `space()`, and feed the lines that they complete."""
        start, end, begin = self._carry, self._carry + count, 0
        if self._skipping or self._dropping:
            found = self._buffer.find(_LF, start, end)
            if found < 0:
                return
            if self._skipping:
                begin = found + 1
            else:
                end = self._remove(start, found, end)
            self._skipping = self._dropping = False
        if self._may_be_marked:
            first = bytes(self._buffer[: min(end, len(_BOM))])
            if first == _BOM:
                begin = len(_BOM)
            self._may_be_marked = first != _BOM and _BOM.startswith(first)
        whole = max(begin, self._buffer.rfind(_LF, begin, end) + 1)
        self._aggregator.feed(memoryview(self._buffer)[begin:], whole - begin)
        self._carry = self._remove(0, whole, end)
        if self._carry > _LONGEST:
            self._carry = _LONGEST
            self._dropping = True

    def finish(self) -> None:
        """Feed the last line, which no LF ends."""
        self._aggregator.feed(self._buffer, self._carry)
        self._carry = 0

    def _remove(self, start: int, stop: int, end: int) -> int:
        """Close the gap from `start` to `stop`; return the new end."""
        if start != stop:
            self._buffer[start : start + end - stop] = self._buffer[stop:end]
        return end - (stop - start)


class ChunkDigests:
    """The BLAKE3 digests of chunks that are read block by block: of the stored bytes, or of the plain text.

    Attributes
    ----------
    size
        How many bytes have been digested.
    """

    def __init__(self, *, of_plain_text: bool = False) -> None:
        self._hasher, self._length = blake3(), 0
        self._complete: deque[bytes] = deque()  # one thread may digest what another takes
        self.of_plain_text, self.size = of_plain_text, 0

    def add(self, block: memoryview | bytes) -> None:
        """Digest a block."""
        self.size += len(block)
        while block:
            piece = block[: CHUNK_BYTES - self._length]
            block = block[len(piece) :]
            self._hasher.update(piece)
            self._length += len(piece)
            if self._length == CHUNK_BYTES:
                self.finish()

    def finish(self) -> None:
        """Complete the digest of a last, shorter chunk."""
        if self._length:
            self._complete.append(self._hasher.digest())
            self._hasher, self._length = blake3(), 0

    def take(self) -> bytes:
        """Return the next digest that is complete, or no bytes."""
        return self._complete.popleft() if self._complete else b""


def feed_lines(  # noqa: PLR0913, PLR0917 - a range, and how it is read
    log: StoredObject,
    start: int,
    end: int,
    aggregator: Aggregator,
    compression: Compression | None = None,
    digests: ChunkDigests | None = None,
) -> Iterator[bytes]:
    """Feed an aggregator the lines that a byte range owns.

    The start is a multiple of `CHUNK_BYTES`; a compressed object has only one range. Yield the 32-byte BLAKE3 digest of each
    chunk of the stored bytes, as it is read, unless the `digests` are others; and no bytes with every block of plain text that
    completes none, so that the caller comes to its turn. A `SourceError` if the object cannot be read or decompressed.
    """
    digests = digests or ChunkDigests()
    if compression:
        yield from _feed_compressed(log, end, aggregator, compression, digests)
        return
    opened = log.open_range(max(start - 1, 0), end)
    try:
        first = bytearray(1)
        at_line_start = start == 0 or fill(opened, memoryview(first)) == 0 or first == _LF
        most = max(1, min(BLOCK_BYTES, end - start))
        lines = LineBuffer(aggregator, at_line_start=at_line_start, at_start=start == 0, most=most)
        while count := fill(opened, space := lines.space(BLOCK_BYTES)):
            digests.add(space[:count])
            lines.advance(count)
            yield digests.take()
        digests.finish()
        yield digests.take()
    finally:
        opened.close()
    if lines.has_open_line:
        yield from _finish_last_line(log, end, lines)


def _finish_last_line(log: StoredObject, at: int, lines: LineBuffer) -> Iterator[bytes]:
    """Read beyond the range up to the next LF; yield nothing with every piece."""
    if at < log.size:
        tail = log.open_range(at, log.size)
        try:
            while count := fill(tail, space := lines.space(_TAIL_BYTES)):
                line_end = bytes(space[:count]).find(_LF)
                lines.advance(count if line_end < 0 else line_end + 1)
                if line_end >= 0:
                    return
                yield b""
        finally:
            tail.close()
    lines.finish()


def stored_blocks(opened: ByteRange) -> Iterator[bytes]:
    """Yield the bytes of a range in blocks that a decompressor takes at once."""
    block = memoryview(bytearray(min(_STORED_BYTES, BLOCK_BYTES)))
    while count := fill(opened, block):
        yield bytes(block[:count])


def _feed_compressed(
    log: StoredObject, end: int, aggregator: Aggregator, compression: Compression, digests: ChunkDigests
) -> Iterator[bytes]:
    """Decompress in a thread of its own: it takes longer than to parse."""
    opened = log.open_range(0, end)

    def blocks() -> Iterator[bytes]:
        for block in stored_blocks(opened):
            if not digests.of_plain_text:
                digests.add(block)
            yield block

    name = source_of(log.bucket, log.key)
    lines = LineBuffer(aggregator, at_line_start=True, at_start=True)
    pieces = RunAhead(decompress(compression, blocks(), min(_PLAIN_BYTES, BLOCK_BYTES), name), opened.close)
    try:
        for plain in pieces:
            if digests.of_plain_text:
                digests.add(plain)
            lines.space(len(plain))[:] = plain
            lines.advance(len(plain))
            yield digests.take()
    finally:
        pieces.close()
    digests.finish()
    while digest := digests.take():
        yield digest
    lines.finish()
