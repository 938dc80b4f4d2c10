"""Feed the kernel from memory between two forbidden pages: reading one byte too far kills the process.

Run as a program (`python -m tests.guard_pages`), by `tests/unit/logstats/native/test_memory_safety.py`.
"""

import ctypes
import mmap
import struct
from collections import Counter
from collections.abc import Iterator

from logstats.formats import presets
from logstats.native import compile_format
from logstats.native.batch import batch_add, batch_copy_rows, batch_count
from logstats.native.histogram import histogram_combine, histogram_values_at
from logstats.native.library import kernel_free
from logstats.native.totals import rows_percentiles, rows_sum
from tests.blocks import block
from tests.declarations import block_of
from tests.reference import MILLISECONDS, aggregate, encode, keeping_all, told_by

PAGE = mmap.PAGESIZE
_PROT_NONE = 0

LINES = (
    b"2024-09-03 12:00:00 cust_1 /api/v1/resource1 200 0.123\n",
    b"2024-09-03 12:00:00 customer-of-16-by /a 500 0.5\r\n",
    "2024-09-03 12:00:00 kündin /ä 404 86400\n".encode(),
    b"2024-09-03 12:00:00 c / 200 12345.123456\n",
    b"\xf0\x9f\x98\x80 \xed\xa0\x80\n",
    *(b"2024-09-03 12:00:00 %b /%b 200 12.345678\r\n" % (b"c" * n, b"p" * n) for n in range(16, 33)),
)


class GuardedMemory:
    """A few pages with a forbidden one on either side."""

    def __init__(self, pages: int) -> None:
        self._map = mmap.mmap(-1, (pages + 2) * PAGE)
        self._start = ctypes.addressof(ctypes.c_char.from_buffer(self._map))
        self.size = pages * PAGE
        libc = ctypes.CDLL(None, use_errno=True)
        for page in (0, pages + 1):
            address = ctypes.c_void_p(self._start + page * PAGE)
            if libc.mprotect(address, ctypes.c_size_t(PAGE), _PROT_NONE):
                raise OSError(ctypes.get_errno(), "mprotect")

    def at_end(self, data: bytes) -> memoryview:
        return self._put(data, PAGE + self.size - len(data))

    def at_start(self, data: bytes) -> memoryview:
        return self._put(data, PAGE)

    def _put(self, data: bytes, at: int) -> memoryview:
        view = memoryview(self._map)[at : at + len(data)]
        view[:] = data
        return view


def blocks() -> Iterator[bytes]:
    """Every prefix and suffix of some lines, and random blocks."""
    for line in LINES:
        for length in range(1, len(line) + 1):
            yield line[:length]
            yield line[-length:]
            yield LINES[0] + line[:length]
    yield from (block(seed, lines)[-PAGE:] for seed in range(300) for lines in (1, 3, 40))


def check_lines(memory: GuardedMemory) -> None:
    for data in filter(None, blocks()):
        expected = aggregate(data)
        for put in (memory.at_end, memory.at_start):
            aggregator = keeping_all(1000)
            aggregator.feed(put(data))
            assert told_by(aggregator) == expected, data


def check_formats(memory: GuardedMemory) -> None:
    """Read lines of every format, whole and cut, at both ends of the memory."""
    for declared in presets().values():
        program = compile_format(declared)
        for seed in range(10):
            data = block_of(declared, seed, 4)[-PAGE:]
            for piece in (data, data[: len(data) - seed], data[: len(data) // 2], data[seed:]):
                expected = aggregate(piece, declared=declared)
                for put in (memory.at_end, memory.at_start):
                    aggregator = keeping_all(1000, program)
                    aggregator.feed(put(piece))
                    assert told_by(aggregator) == expected, piece


def check_histograms(memory: GuardedMemory) -> None:
    """Read every prefix of some encodings; combine each with the whole."""
    for buckets in (
        {0: 1},
        {5: 300, 381_047: 2**40},
        {bucket: bucket + 1 for bucket in range(0, 50_000, 127)},
        {bucket: ms % 300 + 1 for bucket, ms in MILLISECONDS.items() if ms % 100 < 90 and ms < 1_000},
    ):
        encoded = encode(Counter(buckets))
        for length in range(1, len(encoded) + 1):
            view = memory.at_end(encoded[:length])
            pointer = ctypes.c_char_p(ctypes.addressof(ctypes.c_char.from_buffer(view)))
            total = histogram_values_at(pointer, length, None, 0, None)
            out = ctypes.c_void_p()
            combined = histogram_combine(encoded, len(encoded), pointer, length, 1, ctypes.byref(out))
            kernel_free(out)
            assert (total < 0) == (combined < 0)
            assert length < len(encoded) or total == sum(buckets.values())


def check_batches(memory: GuardedMemory) -> None:
    """Read every prefix of a batch; add each to the whole, and write its rows."""
    aggregator = keeping_all(0)
    aggregator.feed(b"".join(b"2024-09-03 12:00:00 c%d /a 200 0.%d\n" % (i % 7, i) for i in range(300)))
    [(_, _, batch)] = aggregator.drain_batches(1)
    for length in range(1, len(batch) + 1):
        view = memory.at_end(batch[:length])
        pointer = ctypes.c_char_p(ctypes.addressof(ctypes.c_char.from_buffer(view)))
        count = batch_count(pointer, length)
        sum_at, rows_at = ctypes.c_void_p(), ctypes.c_void_p()
        added = batch_add(batch, len(batch), pointer, length, ctypes.byref(sum_at))
        kernel_free(sum_at)
        copied = batch_copy_rows(pointer, length, 1, 1, ctypes.byref(rows_at))
        kernel_free(rows_at)
        assert (count < 0) == (added < 0) == (copied < 0)
        assert length < len(batch) or count == 7


def check_rows(memory: GuardedMemory) -> None:
    """Add up every prefix of rows of histograms."""
    encoded = encode(Counter({bucket: 3 for ms, bucket in enumerate(MILLISECONDS) if ms < 300}))
    rows = (
        b"".join(struct.pack(">HiiI", 2, 4, group, len(encoded)) + encoded for group in range(3))
        + b"\xff\xff"
    )
    for length in range(1, len(rows) + 1):
        view = memory.at_end(rows[:length])
        first = ctypes.c_char.from_buffer(view)
        consumed, out, values = ctypes.c_uint64(), ctypes.c_void_p(), (ctypes.c_uint64 * 12)()
        total = rows_sum(ctypes.byref(first), length, ctypes.byref(consumed), ctypes.byref(out))
        kernel_free(out)
        assert total >= 0
        whole = length in (len(rows), consumed.value)
        assert (rows_percentiles(ctypes.byref(first), length, 3, values) == 3) == whole


def main() -> None:
    memory = GuardedMemory(1)
    check_lines(memory)
    check_formats(memory)
    check_histograms(memory)
    check_batches(memory)
    check_rows(memory)
    print("all within bounds")


if __name__ == "__main__":
    main()
