"""Histogram arithmetic against a `Counter` of buckets, and the promises on accuracy."""

import math
import random
from collections import Counter

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logstats.histogram import LatencyHistogram, nearest_rank
from tests.reference import bucket, encode

LONGEST_US = 86_400_000_000
LAST_BUCKET = 381_047
MAX_COUNT = 2**63 - 1

durations = st.lists(
    st.one_of(
        st.integers(0, LONGEST_US),
        st.integers(0, 40_000),
        st.integers(0, 86_400).map(lambda s: s * 1_000_000),
        st.integers(0, 20_000).map(lambda ms: ms * 1000),
        st.integers(1, 36).flatmap(lambda bits: st.integers(2**bits - 1, 2**bits + 1)),
        st.sampled_from([0, 1, 32_767, 32_768, 32_769, LONGEST_US]),
    ),
    max_size=60,
)
buckets = st.dictionaries(
    st.integers(0, LAST_BUCKET), st.one_of(st.integers(1, 300), st.integers(1, 2**40)), max_size=40
).map(Counter)


def of(counts: Counter[int]) -> LatencyHistogram:
    return LatencyHistogram(encode(counts))


# ---- Arithmetic ------------------------------------------------------------------------------------


@given(durations)
def test_encoding_is_that_of_the_reference(values: list[int]) -> None:
    histogram = LatencyHistogram.of(values)
    assert histogram.encoded == encode(Counter(map(bucket, values)))
    assert len(histogram) == len(values)
    assert bool(histogram) == bool(values)


@given(buckets, buckets)
def test_sum_is_exact_and_its_subtraction_gives_the_same_bytes(a: Counter[int], b: Counter[int]) -> None:
    both = of(a) + of(b)
    assert both.encoded == encode(a + b)
    assert both == of(b) + of(a)
    assert both - of(b) == of(a)
    assert both - of(a) == of(b)
    assert both - both == LatencyHistogram()


@given(buckets, buckets, buckets)
def test_sum_is_associative(a: Counter[int], b: Counter[int], c: Counter[int]) -> None:
    assert (of(a) + of(b)) + of(c) == of(a) + (of(b) + of(c))


@given(durations, durations)
def test_parts_add_up_to_the_whole(a: list[int], b: list[int]) -> None:
    assert LatencyHistogram.of(a) + LatencyHistogram.of(b) == LatencyHistogram.of(a + b)


@given(buckets, buckets)
@example(Counter({5: 1}), Counter({5: 2}))
@example(Counter(), Counter({0: 1}))
@example(Counter({7: 1}), Counter({8: 1}))
def test_what_is_not_there_cannot_be_subtracted(a: Counter[int], b: Counter[int]) -> None:
    if b - a:
        with pytest.raises(ValueError, match="fewer values"):
            of(a) - of(b)
    else:
        assert (of(a) - of(b)).encoded == encode(a - b)


def test_counts_up_to_the_limit_and_not_beyond() -> None:
    full, one = of(Counter({5: MAX_COUNT})), of(Counter({6: 1}))
    assert full.values_at([1, MAX_COUNT]) == [5, 5]
    assert (full - of(Counter({5: 1}))) + one == of(Counter({5: MAX_COUNT - 1, 6: 1}))
    for other in (one, full):
        with pytest.raises(ValueError, match="more values than can be counted"):
            full + other


@pytest.mark.parametrize("values", [[-1], [LONGEST_US + 1], [0, 2**64], [0, -(2**64)], [5, 2**64 + 5]])
def test_durations_beyond_a_day_are_an_error(values: list[int]) -> None:
    with pytest.raises(ValueError, match="not within 0 to 86400000000"):
        LatencyHistogram.of(values)


# ---- Quantiles -------------------------------------------------------------------------------------


@given(durations.filter(bool))
def test_every_rank_within_a_hundredth_of_a_percent(values: list[int]) -> None:
    found = LatencyHistogram.of(values).values_at(range(1, len(values) + 1))
    for exact, near in zip(sorted(values), found, strict=True):
        assert abs(near - exact) * 10_000 <= exact


def test_every_whole_millisecond_below_sixteen_seconds_is_exact() -> None:
    values = [ms * 1000 for ms in range(16_384)]
    assert LatencyHistogram.of(values).values_at(range(1, len(values) + 1)) == values


def test_every_octave_is_accurate_at_its_edges() -> None:
    rng = random.Random(1)
    for bits in range(15, 37):
        low, high = 2**bits, min(2 ** (bits + 1) - 1, LONGEST_US)
        for exact in (low, low + 1, high, *(rng.randint(low, high) for _ in range(200))):
            [near] = LatencyHistogram.of([exact]).values_at([1])
            assert abs(near - exact) * 10_000 <= exact


@given(st.lists(st.integers(0, 7_999).map(lambda ms: ms * 1000), min_size=1, max_size=300))
def test_percentiles_of_millisecond_logs_are_exact(values: list[int]) -> None:
    ranks = [nearest_rank(percent, len(values)) for percent in (50, 90, 95, 99)]
    exact = sorted(values)
    assert LatencyHistogram.of(values).values_at(ranks) == [exact[rank - 1] for rank in ranks]


@given(buckets.filter(bool), st.data())
def test_ranks_find_their_bucket(counts: Counter[int], data: st.DataObject) -> None:
    total = counts.total()
    ranks = sorted(data.draw(st.lists(st.integers(1, total), max_size=10)))
    ascending = sorted(counts)
    expected = []
    for rank in ranks:
        below = 0
        for number in ascending:
            below += counts[number]
            if rank <= below:
                expected.append(number)
                break
    assert [bucket(value) for value in of(counts).values_at(ranks)] == expected


@pytest.mark.parametrize("ranks", [[0], [-1], [4], [2, 1], [1, 4], [2**64 + 1], [-(2**64) + 1, 1]])
def test_ranks_that_are_none(ranks: list[int]) -> None:
    histogram = LatencyHistogram.of([1000, 2000, 3000])
    with pytest.raises(ValueError, match="do not ascend within 1 to 3"):
        histogram.values_at(ranks)


def test_no_ranks_of_nothing() -> None:
    assert LatencyHistogram().values_at([]) == []
    with pytest.raises(ValueError, match="1 to 0"):
        LatencyHistogram().values_at([1])


@given(st.integers(1, 100), st.integers(1, 10**30))
def test_nearest_rank_is_the_ceiling(percent: int, count: int) -> None:
    rank = nearest_rank(percent, count)
    assert 1 <= rank <= count
    assert (rank - 1) * 100 < percent * count <= rank * 100


def test_nearest_rank_of_small_counts() -> None:
    for count in range(1, 2000):
        assert nearest_rank(99, count) == math.ceil(count - count / 100 - 1e-9)


# ---- Size and encoding -----------------------------------------------------------------------------


def test_size_is_bounded_by_the_buckets() -> None:
    every = Counter(dict.fromkeys(range(LAST_BUCKET + 1), 2**42))
    assert bucket(LONGEST_US) == LAST_BUCKET
    assert len(of(every).encoded) == 1 + 8 * (LAST_BUCKET + 1)
    assert len(of(every) + of(every)) == 2**43 * (LAST_BUCKET + 1)
    assert len((of(every) + of(every)).encoded) == len(of(every).encoded)


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
        b"\x00",
        b"\x02",
        b"\x02\x01\x01",
        b"\x01\x01",  # no count
        b"\x01\x00\x01",  # no distance
        b"\x01\x01\x00",  # nothing counted
        b"\x01\x81\x00\x01",  # not the shortest form
        b"\x01\x01\x81\x00",
        b"\x01\x01\x80",  # cut off
        b"\x01\x80",
        b"\x01\x01\x01\x01",
        b"\x01\x01" + b"\xff" * 9 + b"\x01",  # 2^64 - 1 values
        b"\x01\x01" + b"\xff" * 9 + b"\x02",  # beyond 64 bits
        b"\x01\x01" + b"\xff" * 10 + b"\x01",
        b"\x01" + b"\xff" * 9 + b"\x01\x01",
        encode(Counter({LAST_BUCKET + 1: 1})),
        encode(Counter({2**32: 1})),
        encode(Counter({5: 1, 2**63: 1})),
        encode(Counter({5: MAX_COUNT, 6: 1})),
        encode(Counter({5: MAX_COUNT + 1})),
    ],
)
def test_malformed_encodings_are_an_error(encoded: bytes) -> None:
    good = LatencyHistogram.of([5000, 6000])
    bad = LatencyHistogram(encoded)
    with pytest.raises(ValueError, match="malformed"):
        len(bad)
    for left, right in ((good, bad), (bad, good), (bad, bad)):
        with pytest.raises(ValueError, match="malformed"):
            left + right
    with pytest.raises(ValueError, match=r"malformed|fewer"):
        good - bad


@given(st.binary(max_size=40).map(lambda data: b"\x01" + data), st.binary(max_size=3))
def test_what_is_not_malformed_is_canonical(encoded: bytes, more: bytes) -> None:
    """Arbitrary bytes are refused, or are exactly the encoding of what they hold."""
    histogram = LatencyHistogram(encoded + more)
    try:
        same = histogram + LatencyHistogram()
    except ValueError:
        with pytest.raises(ValueError, match="malformed"):
            len(histogram)
    else:
        assert same == histogram
        assert len(histogram) >= 0


@given(buckets, st.data())
def test_a_damaged_encoding_never_passes_for_a_longer_one(counts: Counter[int], data: st.DataObject) -> None:
    encoded = encode(counts)
    cut = encoded[: data.draw(st.integers(0, len(encoded)))]
    try:
        held = LatencyHistogram(cut).values_at([]) == [] and len(LatencyHistogram(cut))
    except ValueError:
        return
    assert held <= counts.total()
