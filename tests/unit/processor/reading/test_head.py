"""The first bytes of an object tell its compression, and are a sample of it."""

import bz2
import gzip
import lzma
import random
from collections.abc import Callable
from functools import partial

import pytest
from backports import zstd

from processor.reading.compression import compression_of
from processor.reading.head import HEAD_BYTES, read_head
from tests.unit.processor.reading.test_lines import Memory

SMALL = b"2024-09-03 12:00:00 cust_1 /a 200 0.5\n" * 10
LARGE = random.Random(1).randbytes(1 << 20).hex().encode()


@pytest.mark.parametrize(
    ("stored", "name"),
    [
        (gzip.compress(b""), "gzip"),
        (zstd.compress(b""), "zstd"),
        (b"\x53\x2a\x4d\x18\x04\0\0\0skip" + zstd.compress(SMALL), "zstd"),
        (bz2.compress(b""), "bzip2"),
        (bz2.compress(SMALL, 1), "bzip2"),
        (lzma.compress(b""), "xz"),
        (b"", None),
        (b"\x1f\x8b", None),
        (b"BZh91 is how this line begins\n", None),
        (SMALL, None),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_the_first_bytes_tell_the_compression(stored: bytes, name: str | None) -> None:
    found = compression_of(stored)
    assert (found and found.name) == name


@pytest.mark.parametrize(
    "compress", [bytes, gzip.compress, zstd.compress, bz2.compress, partial(lzma.compress, preset=0)]
)
def test_the_sample_is_of_the_plain_text(compress: Callable[[bytes], bytes]) -> None:
    small, large = read_head(Memory(compress(SMALL))), read_head(Memory(compress(LARGE)))
    assert (small.sample, small.is_complete, small.first_line) == (SMALL, True, SMALL.split(b"\n")[0])
    assert large.sample
    assert LARGE.startswith(large.sample)
    assert len(large.sample) <= HEAD_BYTES
    assert not large.is_complete


def test_a_bomb_is_looked_at_no_further_than_its_head() -> None:
    stored = gzip.compress(b"x" * (64 << 20))
    assert len(stored) < HEAD_BYTES * 2
    assert read_head(Memory(stored)).sample == b"x" * HEAD_BYTES


def test_a_stream_that_is_corrupt_from_the_start_has_no_sample() -> None:
    assert read_head(Memory(gzip.compress(SMALL)[:10] + b"\xff" * 50)).sample == b""
