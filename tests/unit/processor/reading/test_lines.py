import bz2
import gzip
import lzma
import random
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import pytest
from backports import zstd
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from logstats.domain.line import MAX_LINE_BYTES
from logstats.native import Aggregator
from processor.reading import lines as module
from processor.reading.compression import compression_of
from processor.reading.lines import feed_lines
from processor.reading.objects import ByteRange, SourceError

COMPRESS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "zstd": partial(zstd.compress, options={zstd.CompressionParameter.checksum_flag: True}),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
}
ONE = b"2024-09-03 12:00:00 cust_1 /a 200 0.5"


@dataclass
class Memory:
    """A log object in memory, whose ranges give a few bytes at a time."""

    data: bytes
    key: str = "a.log"
    bucket: str = "b"
    step: int = 1 << 20
    closed: int = 0

    modified_ns: int = 0

    @property
    def size(self) -> int:
        return len(self.data)

    def open_range(self, start: int, end: int) -> ByteRange:
        return _Range(self, self.data[start:end])


@dataclass
class _Range:
    memory: Memory
    left: bytes

    def readinto(self, buffer: memoryview) -> int:
        count = min(len(buffer), self.memory.step)
        piece, self.left = self.left[:count], self.left[count:]
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self.memory.closed += 1


class Recorder:
    """Stands in for the aggregator: keeps what it is fed."""

    def __init__(self) -> None:
        self.fed = b""

    def feed(self, lines: bytearray, length: int) -> None:
        piece = bytes(lines[:length])
        assert self.fed.endswith(b"\n") or not self.fed, "fed after a line without LF"
        self.fed += piece


def fed(memory: Memory, start: int = 0, end: int | None = None, rejects: int = 0) -> Aggregator:
    """An aggregator that was fed a range's lines, or all."""
    aggregator = Aggregator(rejects, 16)
    end = memory.size if end is None else end
    list(feed_lines(memory, start, end, aggregator, compression_of(memory.data)))
    return aggregator


def lines_of(memory: Memory, bounds: list[int]) -> list[bytes]:
    """The lines that ranges between bounds feed, in order."""
    found = []
    for start, end in pairwise(bounds):
        recorder = Recorder()
        list(feed_lines(memory, start, end, recorder))  # type: ignore[arg-type]  # it takes what an aggregator is fed
        pieces = recorder.fed.split(b"\n")
        found += pieces[:-1] if recorder.fed.endswith(b"\n") or not recorder.fed else pieces
    return found


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    make_small(monkeypatch)


def make_small(patch: pytest.MonkeyPatch) -> None:
    """Let a chunk be two blocks, and hardly a line."""
    patch.setattr(module, "CHUNK_BYTES", 16)
    patch.setattr(module, "BLOCK_BYTES", 8)
    patch.setattr(module, "_TAIL_BYTES", 8)


@given(
    data=st.text(alphabet="ab\n\r", max_size=120).map(str.encode),
    cuts=st.lists(st.integers(0, 120), max_size=5),
    step=st.integers(1, 40),
)
def test_ranges_read_every_line_once(data: bytes, cuts: list[int], step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        make_small(patch)
        bounds = sorted({0, len(data), *(min(cut, len(data)) for cut in cuts)})
        expected = data.removesuffix(b"\n").split(b"\n") if data else []
        assert lines_of(Memory(data, step=step), bounds if data else [0, 0]) == expected


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize(
    "length", [MAX_LINE_BYTES, MAX_LINE_BYTES + 1, MAX_LINE_BYTES + 2, MAX_LINE_BYTES + 3, 3 * MAX_LINE_BYTES]
)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b""])
def test_an_over_long_line_costs_no_memory_and_no_neighbour(length: int, ending: bytes) -> None:
    data = ONE + b"\n" + b"x" * length + ending
    data += ONE + b"\n" if ending else b""
    for bounds in ([0, len(data)], [0, 32, 65536, len(data)]):
        accepted, rejected, kept = 0, {}, []
        for start, end in pairwise(bounds):
            aggregator = fed(Memory(data), start, end, rejects=10)
            accepted += aggregator.counts.accepted
            rejected.update(aggregator.counts.rejected_by_reason)
            kept += [reason for _, reason, _ in aggregator.rejects()]
        assert accepted == (2 if ending else 1)
        assert rejected == {"layout" if length <= MAX_LINE_BYTES else "too_long": 1}
        assert len(kept) == 1


@pytest.mark.parametrize(
    ("data", "accepted", "lines"),
    [
        (b"\xef\xbb\xbf" + ONE, 1, 1),
        (ONE + b"\n\xef\xbb\xbf" + ONE, 1, 2),
        (b"\xef\xbb\xbf", 0, 0),
        (b"\xef\xbb\xbf\r\n\n" + ONE + b"\r\n", 1, 3),
        (b"", 0, 0),
        (b"\n\n\r\n", 0, 3),
    ],
)
@pytest.mark.parametrize("compress", [bytes, *COMPRESS.values()], ids=["plain", *COMPRESS])
def test_marks_and_endings(
    data: bytes, accepted: int, lines: int, compress: Callable[[bytes], bytes]
) -> None:
    for step in (1, 2, 1000):
        counts = fed(Memory(compress(data), step=step)).counts
        assert (counts.accepted, counts.lines) == (accepted, lines)


def broken(compress: Callable[[bytes], bytes]) -> dict[str, bytes]:
    whole, noise = compress(ONE), compress(random.Random(1).randbytes(5_000))
    return {
        "one byte short": noise[:-1],
        "cut": noise[:40],
        "wrong bytes": noise[:2_000] + b"\xff" * 50 + noise[2_050:],
        "garbage behind": whole + b"garbage",
        "second stream cut": whole + noise[:-20],
    }


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param(name, data, id=f"{name}, {what}")
        for name, compress in COMPRESS.items()
        for what, data in broken(compress).items()
    ],
)
def test_a_broken_stream_is_an_error(name: str, data: bytes) -> None:
    for step in (1 << 20, 7):
        with pytest.raises(SourceError, match=f"^s3://b/a.log: not valid {name}: "):
            fed(Memory(data, step=step))


@pytest.mark.parametrize("compress", COMPRESS.values(), ids=COMPRESS)
def test_streams_follow_one_another_and_zeros_may_pad_them(compress: Callable[[bytes], bytes]) -> None:
    lines = [ONE + b"\n"] * 7
    streams = [compress(line) for line in [*lines, b"", ONE[:20], ONE[20:]]]
    for padding in (b"", b"\0" * 4):
        for step in (1 << 20, 3):
            counts = fed(Memory(padding.join(streams) + padding, step=step)).counts
            assert (counts.accepted, counts.lines) == (8, 8)


@pytest.mark.usefixtures("small_chunks")
def test_digests_are_those_of_the_stored_bytes_whatever_the_ranges() -> None:
    plain, stored = bytes(range(10, 200)) * 2, gzip.compress(ONE) + gzip.compress(b"\n" + ONE)
    whole = Memory(stored), [0, len(stored)]
    for memory, bounds in (whole, *((Memory(plain), [0, *cuts, 380]) for cuts in ([], [32, 64], [368]))):
        found = [
            digest
            for start, end in pairwise(bounds)
            for digest in feed_lines(memory, start, end, Aggregator(), compression_of(memory.data))
            if digest
        ]
        assert found == [blake3(memory.data[at : at + 16]).digest() for at in range(0, memory.size, 16)]


@pytest.mark.parametrize("cuts", [[1], [2], [1, 2], [3], [1, 1, 2]])
def test_a_byte_order_mark_may_span_gzip_members(cuts: list[int]) -> None:
    data = b"\xef\xbb\xbf" + ONE + b"\n"
    members = b"".join(gzip.compress(data[start:end]) for start, end in pairwise([0, *cuts, len(data)]))
    counts = fed(Memory(members)).counts
    assert (counts.accepted, counts.lines) == (1, 1)


def test_a_mark_behind_an_empty_line_is_none() -> None:
    data = gzip.compress(b"\n") + gzip.compress(b"\xef\xbb\xbf" + ONE)
    assert fed(Memory(data)).counts.rejected_by_reason == {"timestamp": 1}


@pytest.mark.parametrize(
    "data", [(ONE + b"\n") * (1 << 17), b"x" * (8 << 20)], ids=["many lines", "one line"]
)
@pytest.mark.parametrize("compress", COMPRESS.values(), ids=COMPRESS)
def test_the_caller_comes_to_its_turn_with_every_block_of_plain_text(
    data: bytes, compress: Callable[[bytes], bytes]
) -> None:
    """However few bytes are stored: a gzip may shrink a thousandfold, and others more."""
    stored, aggregator = compress(data), Aggregator()
    turns = sum(1 for _ in feed_lines(Memory(stored), 0, len(stored), aggregator, compression_of(stored)))
    assert aggregator.counts.lines == max(1, data.count(b"\n"))
    assert turns >= len(data) // module.BLOCK_BYTES


def test_the_caller_comes_to_its_turn_while_a_last_line_goes_on() -> None:
    """The range ends where the line has hardly begun."""
    data = b"x" * (module.CHUNK_BYTES + (8 << 20))
    turns = sum(1 for _ in feed_lines(Memory(data), 0, module.CHUNK_BYTES, Aggregator()))
    assert turns >= len(data) // module.BLOCK_BYTES


@pytest.mark.parametrize("turns", [0, 1, 3])
@pytest.mark.parametrize("compress", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_a_range_that_is_given_up_is_closed(compress: Callable[[bytes], bytes], turns: int) -> None:
    """Also by the thread that reads ahead of the parsing, wherever it is."""
    memory = Memory(compress(random.Random(1).randbytes(4 << 20)))
    feeding = feed_lines(memory, 0, memory.size, Aggregator(), compression_of(memory.data))
    for _ in range(turns):
        next(feeding)
    feeding.close()  # type: ignore[attr-defined]  # it is a generator
    assert memory.closed == bool(turns)
