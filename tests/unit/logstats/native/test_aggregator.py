"""The kernel decides and counts exactly as the scalar parser does: differential properties."""

import itertools
import random
import re
import subprocess
import sys
from collections import Counter
from ctypes import c_uint32, c_void_p
from itertools import pairwise

import psutil
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logstats.domain.reader import Reader, Request
from logstats.formats import presets
from logstats.native import REASONS, Aggregator
from logstats.native import aggregator as aggregator_module
from logstats.native.library import bind
from tests import breakdowns
from tests.blocks import block
from tests.reference import (
    MAX_REJECT_BYTES,
    Aggregate,
    aggregate,
    bucket,
    by_kernel,
    encode,
    keeping_all,
    seen,
    told_by,
)

LINES = 500
"""Lines of a random block; the nightly profile tries 2 500 blocks."""


def differing_line(data: bytes) -> bytes | None:
    """The first line on which kernel and reference disagree by itself: easier to read than a block."""
    return next((line for line in data.split(b"\n") if by_kernel([line]) != aggregate(line)), None)


def check(data: bytes) -> Aggregate:
    """Kernel and reference agree: the block as a whole, line by line, and in pieces."""
    expected = aggregate(data)
    lines = re.findall(rb"[^\n]*\n|[^\n]+", data)
    assert by_kernel([data]) == expected, differing_line(data)
    assert by_kernel(lines) == expected
    rng = random.Random(len(data))
    cuts = sorted({0, len(lines), *(rng.randrange(len(lines) + 1) for _ in range(4))})
    assert by_kernel(b"".join(lines[a:b]) for a, b in pairwise(cuts)) == expected
    return expected


# ---- Properties ------------------------------------------------------------------------------------


@given(st.integers(0, 2**64 - 1))
def test_agrees_on_random_blocks(seed: int) -> None:
    check(block(seed, LINES))


def test_random_blocks_reach_every_verdict_and_every_counter() -> None:
    """The differential test is only worth its food: plenty is accepted, and each reason occurs."""
    seen = [aggregate(block(seed, LINES)) for seed in range(30)]
    reasons = sum((Counter(result.rejected_by_reason) for result in seen), Counter())
    assert set(reasons) == set(REASONS)
    assert min(reasons.values()) > 10
    assert 0.3 < sum(result.accepted for result in seen) / sum(result.lines for result in seen) < 0.8
    assert max(numbers[0] for result in seen for numbers, *_ in result.summaries.values()) > 128


FIELDS = b"2024-09-03 12:00:00 cust_1 /api/v1/resource1 200 0.123".split(b" ")
bytes_of_lines = st.lists(
    st.one_of(
        st.binary(max_size=30),
        st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
        st.sampled_from(
            [*FIELDS, b" ".join(FIELDS), b" ", b"\n", b"\r\n", b"\r", b"\0", b"\x7f", b"\xc2\x85"]
        ),
    ),
    max_size=40,
).map(b"".join)


@given(bytes_of_lines)
def test_agrees_on_arbitrary_bytes(data: bytes) -> None:
    check(data)


@given(
    st.sampled_from(range(6)),
    st.one_of(st.binary(max_size=12), st.text(max_size=8).map(lambda t: t.encode("utf-8", "surrogatepass"))),
)
@example(2, b"\x85")
@example(5, b"86400.0000001")
def test_agrees_on_any_field(place: int, field: bytes) -> None:
    line = b" ".join([*FIELDS[:place], field, *FIELDS[place + 1 :]])
    check(line)
    check(b"%b\n%b\r\n%b\n" % (b" ".join(FIELDS), line, b" ".join(FIELDS)))


duration_texts = st.from_regex(r"0{0,3}[0-9]{0,6}(\.[0-9]{0,12}0{0,30}[0-9]?)?", fullmatch=True)


@given(st.lists(duration_texts, min_size=1, max_size=20))
def test_agrees_on_durations(durations: list[str]) -> None:
    check(b"".join(b" ".join([*FIELDS[:5], text.encode()]) + b"\n" for text in durations))


def test_agrees_on_every_date() -> None:
    """All dates of the years around the limits and of leap years, and every impossible month and day."""
    lines = [
        b"%04d-%02d-%02d 12:00:00 cust_1 /a 200 0.1\n" % (year, month, day)
        for year in (0, 1900, 1969, 1970, 1971, 1999, 2000, 2024, 2099, 2100, 2101, 2199, 2200, 9999)
        for month in range(14)
        for day in range(33)
    ]
    assert check(b"".join(lines)).accepted == 365 * 6 + 366 * 2 + 365 * 2 - 365


def test_agrees_on_every_second_of_a_day_and_beyond() -> None:
    clock = (b"%02d:%02d:%02d" % (h, m, s) for h in range(25) for m in (0, 9, 59, 60, 61) for s in range(62))
    lines = b"".join(b"2024-09-03 %b cust_1 /a 200 0.1\n" % time for time in clock)
    assert check(lines).accepted == 24 * 3 * 60


def test_agrees_on_every_byte_in_every_place() -> None:
    line = b"2024-09-03 12:00:00 cust_1 /a/b 200 0.123"
    for place in range(len(line) + 1):
        replaced = [line[:place] + bytes([byte]) + line[place + 1 :] for byte in range(256)]
        inserted = [line[:place] + bytes([byte]) + line[place:] for byte in range(256)]
        data = b"\n".join([*replaced, *inserted, b""])
        assert by_kernel([data]) == aggregate(data), differing_line(data)


# ---- Hash flooding ---------------------------------------------------------------------------------

FIXED_KEY = (0, 0x9E3779B97F4A7C15)
"""That of the shards, and once of the tables too."""
longest_search = bind("aggregator_longest_search", c_uint32, c_void_p)


def mix(value: int, word: int) -> int:
    product = (value ^ word) * FIXED_KEY[1]
    return product % 2**64 ^ product >> 64


def colliding_customers(count: int) -> list[bytes]:
    """Customers of eight bytes that have one place in a table of 1 024, under the fixed key, on 2024-09-03."""
    found = []
    for number in itertools.count():
        customer = b"%08x" % number
        hashed = mix(mix(mix(0, int.from_bytes(customer, "little")), 0), 19_969 + 1)
        if hashed % 1024 == 0:
            found.append(customer)
            if len(found) == count:
                return found
    raise AssertionError


def test_customers_that_collide_under_a_known_key_do_not_under_a_random_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = b"".join(b"2024-09-03 12:00:00 %b /a 200 0.5\n" % name for name in colliding_customers(500))

    def searched() -> int:
        aggregator = Aggregator()
        aggregator.feed(lines)
        return int(longest_search(aggregator._handle))

    assert searched() < 100
    monkeypatch.setattr(aggregator_module, "HASH_KEY", FIXED_KEY)
    assert searched() >= 499


def test_every_process_has_a_key_of_its_own() -> None:
    code = "from logstats.native import aggregator; print(aggregator.HASH_KEY)"
    keys = {subprocess.check_output([sys.executable, "-c", code]) for _ in range(2)}
    assert len(keys) == 2


# ---- Lengths and ends ------------------------------------------------------------------------------


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"", b"\r"])
@pytest.mark.parametrize("length", range(65_533, 65_540))
def test_agrees_around_64_kib(length: int, end: bytes) -> None:
    for place, filler in ((2, b"x"), (3, b"x"), (5, b"0"), (3, "é".encode())):
        spare = length - len(b" ".join(FIELDS))
        padded = FIELDS[place] + filler * (spare // len(filler)) + b"y" * (spare % len(filler))
        line = b" ".join([*FIELDS[:place], padded, *FIELDS[place + 1 :]])
        assert len(line) == length
        for data in (line + end, b"\n" + line + end, b" ".join(FIELDS) + b"\n" + line + end):
            assert by_kernel([data]) == aggregate(data)


@pytest.mark.parametrize("characters", [1, 7, 8, 9, 15, 16, 17, 247, 248, 249, 254, 255, 256, 300])
@pytest.mark.parametrize("character", ["x", "é", "€", "😀"])
def test_agrees_on_customers_of_every_length(character: str, characters: int) -> None:
    customer = (character * characters).encode()
    data = b"".join(
        b" ".join([*FIELDS[:2], name, *FIELDS[3:]]) + b"\n"
        for name in (customer, customer[:-1] + b"y", customer + b"z", customer)
    )
    check(data)
    check(data[:-1])


def test_nothing_is_nothing() -> None:
    assert by_kernel([]) == by_kernel([b"", b""]) == aggregate(b"") == Aggregate({}, 0, 0, 0, {}, [])
    assert by_kernel([b"\n\r\n\n\r"]) == Aggregate({}, 4, 0, 0, {}, [])


# ---- Counters --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "count", [1, 2, 127, 128, 129, 255, 256, 257, 511, 512, 513, 65_535, 65_536, 65_537, 200_000]
)
@pytest.mark.parametrize(
    "duration", [b"0", b"0.1", b"16.383", b"16.384", b"0.000001", b"86400", b"16.3830004"]
)
def test_one_duration_is_counted_however_often(duration: bytes, count: int) -> None:
    """Counters of whole milliseconds are a byte wide and overflow into a table."""
    line = b"2024-09-03 12:00:00 cust_1 /a 503 %b\n" % duration
    read = Reader(presets()["logstats"]).read(line[:-1])
    assert isinstance(read, Request)
    us = read.duration_us
    assert us is not None
    numbers = (count, 0, count, 0, us * count, us, us)
    breakdown = breakdowns.encode([seen(read)] * count)
    expected = {(b"cust_1", 19_969): (numbers, encode(Counter({bucket(us): count})), breakdown)}
    assert by_kernel([line * count]).summaries == expected
    if count < 1000:
        assert by_kernel([line] * count).summaries == expected


@given(
    st.lists(
        st.tuples(
            st.one_of(
                st.integers(0, 20).map(lambda ms: ms * 1000),
                st.integers(0, 16_400).map(lambda ms: ms * 1000),
                st.integers(16_380_000, 16_390_000),
                st.integers(0, 86_400_000_000),
            ),
            st.sampled_from([1, 2, 127, 128, 129, 255, 256, 257, 512, 700]),
        ),
        min_size=1,
        max_size=12,
    ),
    st.randoms(use_true_random=False),
)
@settings(max_examples=settings().max_examples // 2)  # each is thousands of lines
def test_mixed_counters(counts: list[tuple[int, int]], rng: random.Random) -> None:
    durations = [us for us, count in counts for _ in range(count)]
    rng.shuffle(durations)
    lines = [b"2024-09-03 12:00:00 c /a 200 %d.%06d\n" % divmod(us, 1_000_000) for us in durations]
    check(b"".join(lines))


@pytest.mark.parametrize("most", [1, 2, 3, 4, 15, 16, 255, 256])
@pytest.mark.parametrize("used", [7, 8, 63, 64])
def test_pages_of_counters(used: int, most: int) -> None:
    """Enough milliseconds for a page or one too few, and the last has the most requests: as many as bits can hold."""
    milliseconds = [*range(640, 640 + used), *[640 + used - 1] * (most - 1), *range(1, 64)]
    check(b"".join(b"2024-09-03 12:00:00 c /a 200 %d.%03d\n" % divmod(ms, 1000) for ms in milliseconds))


def test_many_distinct_durations() -> None:
    """Every counter and a table that has grown often: 60 000 values, all different."""
    data = b"".join(
        b"2024-09-03 12:00:00 c /a 200 %d.%06d\n" % divmod(i * 1_439_999, 1_000_000) for i in range(60_000)
    )
    [(numbers, histogram, _)] = by_kernel([data]).summaries.values()
    assert numbers == (60_000, 0, 0, 0, 1_439_999 * sum(range(60_000)), 0, 1_439_999 * 59_999)
    assert histogram == encode(Counter(bucket(i * 1_439_999) for i in range(60_000)))


def test_many_customers_and_days() -> None:
    """The table of summaries grows often, and nothing gets lost or mixed up."""
    data = b"".join(
        b"%d-%02d-%02d 00:00:00 customer_%d /a %d 0.%03d\n"
        % (1970 + i % 230, 1 + i % 12, 1 + i % 28, i % 3001, 100 + i % 500, i % 1000)
        for i in range(20_000)
    )
    assert check(data).accepted == 20_000


@pytest.mark.nightly
def test_sums_beyond_two_to_the_64() -> None:
    lines = 2**64 // 86_399_999_999 + 100_000
    line = b"1970-01-01 00:00:00 c /a 200 86399.999999\n"
    piece, left = bytes(line * 100_000), lines
    aggregator = Aggregator()
    while left:
        count = min(left, 100_000)
        aggregator.feed(piece[: count * len(line)])
        left -= count
    [(_, _, numbers, histogram, _)] = aggregator.drain()
    assert numbers == (lines, 0, 0, 0, lines * 86_399_999_999, 86_399_999_999, 86_399_999_999)
    assert lines * 86_399_999_999 > 2**64
    assert histogram == encode(Counter({bucket(86_399_999_999): lines}))


# ---- Draining, rejects, memory ---------------------------------------------------------------------


@given(st.lists(st.integers(0, 2**32), min_size=1, max_size=4))
@settings(max_examples=20)
def test_what_is_drained_in_between_adds_up(seeds: list[int]) -> None:
    """Draining forgets the summaries, and only them."""
    aggregator = keeping_all(0)
    for seed in seeds:
        data = block(seed, 40)
        data = data if data.endswith(b"\n") else data + b"\n"
        aggregator.feed(data)
        assert told_by(aggregator).summaries == aggregate(data).summaries
    assert not list(aggregator.drain())
    assert aggregator.memory == 0


def test_rejects_are_kept_up_to_the_cap_and_all_are_counted() -> None:
    aggregator = Aggregator(max_rejects=3, max_reject_bytes=5)
    aggregator.feed(b"a\n\n\nbb\r\ncccccc\n")
    assert list(aggregator.rejects()) == [
        (1, "layout", b"a"),
        (4, "layout", b"bb"),
        (5, "layout", b"ccccc"),
    ]
    aggregator.feed(b"d\ne\n")
    assert list(aggregator.rejects()) == []
    assert aggregator.counts.rejected_by_reason == {"layout": 5}
    assert aggregator.counts.lines == 7


def test_rejects_of_many_lines() -> None:
    data = b"".join(b"%d\n" % i for i in range(20_000))
    expected = aggregate(data, max_rejects=15_000)
    assert by_kernel([data], max_rejects=15_000) == expected
    assert MAX_REJECT_BYTES < 1000
    assert by_kernel([b"x" * 1000]).rejects == [(1, "layout", b"x" * MAX_REJECT_BYTES)]


def test_memory_follows_the_summaries_not_the_lines() -> None:
    rng = random.Random(1)
    data = b"".join(
        b"2024-09-03 12:00:00 cust_%d /a 200 %.3f\n" % (i % 50, rng.random() * 2) for i in range(100_000)
    )
    aggregator = Aggregator()
    aggregator.feed(data)
    once = aggregator.memory
    for _ in range(5):
        aggregator.feed(data)
    assert 50 * 2_000 < once < 50 * 20_000
    assert aggregator.memory < 1.5 * once


def test_nothing_leaks() -> None:
    data = [block(seed, 400) for seed in range(10)]

    def resident_after(rounds: int) -> int:
        for _ in range(rounds):
            for piece in data:
                aggregator = Aggregator(1000, 1000)
                aggregator.feed(piece)
                list(aggregator.drain())
                list(aggregator.rejects())
                aggregator.feed(piece)
                del aggregator
        return int(psutil.Process().memory_info().rss)

    before = resident_after(20)
    assert resident_after(100) < before + (1 << 20)


# ---- The binding -----------------------------------------------------------------------------------


@pytest.mark.parametrize("buffer", [bytes, bytearray, lambda data: memoryview(bytearray(data))])
def test_any_buffer_can_be_fed(buffer: type) -> None:
    aggregator = Aggregator()
    aggregator.feed(buffer(b" ".join(FIELDS) + b"\nmore"), 55)
    assert (aggregator.counts.lines, aggregator.counts.accepted) == (1, 1)


@pytest.mark.parametrize("length", [-1, 5, 1 << 40])
def test_no_more_than_the_buffer_is_read(length: int) -> None:
    with pytest.raises(ValueError, match="the block has 4 bytes"):
        Aggregator().feed(b"abcd", length)
