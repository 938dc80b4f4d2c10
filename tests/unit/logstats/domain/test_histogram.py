"""Histogram arithmetic against a `Counter` of buckets, and the promises on accuracy."""

from collections import Counter
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from logstats.domain.histogram import LatencyHistogram, nearest_rank
from tests.reference import MILLISECONDS, bucket, encode, encode_without_pages, packed

LONGEST_US = 86_400_000_000
LAST_BUCKET = 381_047
MAX_COUNT = 2**63 - 1

_profile = settings.get_profile(settings.get_current_profile_name())
thorough = settings(max_examples=5 * _profile.max_examples)  # there are many ways for two pages to meet

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
counts = st.one_of(
    st.integers(1, 3),
    st.integers(1, 300),
    st.integers(2**16 - 2, 2**16 + 1),
    st.integers(1, 2**40),
)
scattered = st.dictionaries(st.integers(0, LAST_BUCKET), counts, max_size=40)
milliseconds = st.builds(  # some of them in a row, so that there are pages
    lambda first, times: {bucket((first + i) % 16_400 * 1000): n for i, n in enumerate(times) if n},
    st.integers(0, 16_400),
    st.lists(st.one_of(st.integers(0, 1), st.integers(0, 20), st.just(0), counts), max_size=150),
)


def crowded(page: int, used: bytes, times: int, more: list[tuple[int, int, int]]) -> Counter[int]:
    """Some of a page's milliseconds, a bit each, and buckets at them, between them, just before and behind."""
    bits = int.from_bytes(used)
    found = Counter({bucket((64 * page + i) * 1000): times for i in range(64) if bits >> i & 1})
    for i, beyond, count in more:
        found[bucket(max(64 * page + i, 0) * 1000) + beyond] += count
    return found


pages_and_more = st.builds(
    crowded,
    st.sampled_from([0, 1, 255]),
    st.one_of(st.binary(min_size=8, max_size=8), st.sampled_from([b"", b"\x7f", b"\xff", b"\xff" * 8])),
    st.sampled_from([1, 2, 3, 4, 15, 16, 255, 256, 2**16 - 1, 2**16]),
    st.lists(
        st.tuples(
            st.integers(-1, 64), st.sampled_from([0, 0, 1, 2]), st.sampled_from([1, 2, 2**16 - 1, 2**32])
        ),
        max_size=3,
    ),
)
buckets = st.one_of(
    st.lists(st.one_of(scattered, milliseconds).map(Counter), max_size=2),
    st.lists(pages_and_more, min_size=1, max_size=2),
    st.tuples(pages_and_more, scattered.map(Counter)),
).map(lambda some: sum(some, Counter[int]()))


def page_of(milliseconds: Iterable[int]) -> Counter[int]:
    return Counter(bucket(ms * 1000) for ms in milliseconds)


def of(counts: Counter[int]) -> LatencyHistogram:
    return LatencyHistogram(encode(counts))


# ---- Arithmetic ------------------------------------------------------------------------------------


@given(durations)
def test_encoding_is_that_of_the_reference(values: list[int]) -> None:
    histogram = LatencyHistogram.of(values)
    assert histogram.encoded == encode(Counter(map(bucket, values)))
    assert len(histogram) == len(values)
    assert bool(histogram) == bool(values)


@thorough
@given(buckets, buckets)
@example(page_of(range(65, 90)), page_of([64]))  # the list begins a page of the other
@example(page_of(range(64, 90)), page_of(range(70, 90)) + Counter({bucket(64_000) + 1: 1}))
def test_sum_is_exact_and_its_subtraction_gives_the_same_bytes(a: Counter[int], b: Counter[int]) -> None:
    both = of(a) + of(b)
    assert both.encoded == encode(a + b)
    assert both == of(b) + of(a)
    assert both - of(b) == of(a)
    assert both - of(a) == of(b)
    assert both - both == LatencyHistogram()


@thorough
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


@thorough
@given(buckets, buckets)
def test_what_was_written_before_there_were_pages_counts_the_same(a: Counter[int], b: Counter[int]) -> None:
    old_a, old_b = (LatencyHistogram(encode_without_pages(counts)) for counts in (a, b))
    assert old_a + LatencyHistogram() == of(a)
    assert old_a + old_b == old_a + of(b) == of(a) + old_b == of(a + b)
    assert of(a + b) - old_b == of(a)
    total = a.total()
    ranks = sorted({1, (total + 1) // 2, total}) if total else []
    assert old_a.values_at(ranks) == of(a).values_at(ranks)
    assert len(old_a) == len(of(a)) == total


# ---- Quantiles -------------------------------------------------------------------------------------


@given(durations.filter(bool))
def test_every_rank_within_a_hundredth_of_a_percent(values: list[int]) -> None:
    found = LatencyHistogram.of(values).values_at(range(1, len(values) + 1))
    for exact, near in zip(sorted(values), found, strict=True):
        assert abs(near - exact) * 10_000 <= exact


def test_every_whole_millisecond_below_sixteen_seconds_is_exact() -> None:
    values = [ms * 1000 for ms in range(16_384)]
    assert LatencyHistogram.of(values).values_at(range(1, len(values) + 1)) == values


@thorough
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


# ---- Size and encoding -----------------------------------------------------------------------------


def test_size_is_bounded_by_the_buckets() -> None:
    every = of(Counter(dict.fromkeys(range(LAST_BUCKET + 1), 2**42)))
    assert bucket(LONGEST_US) == LAST_BUCKET
    assert len(every.encoded) == 1 + 8 * (LAST_BUCKET + 1)
    twice = every + every
    assert len(twice) == 2**43 * (LAST_BUCKET + 1)
    assert len(twice.encoded) == len(every.encoded)
    whole = Counter(dict.fromkeys(MILLISECONDS, 1))
    assert len(of(whole).encoded) == 2 + 256 * (2 + 8)
    for times, bits in ((3, 2), (15, 4), (255, 8), (2**16 - 1, 16)):
        multiple = of(Counter(dict.fromkeys(whole, times)))
        assert len(multiple.encoded) == 2 + 256 * (2 + 8 * bits)
        assert multiple + of(whole) == of(Counter(dict.fromkeys(whole, times + 1)))
        assert multiple - multiple == LatencyHistogram()


@pytest.mark.parametrize(
    "encoded",
    [
        b"",
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
        b"\x02",  # no pages
        b"\x02\x00",
        b"\x02\x00\x05",
        b"\x02\x00\x05\x01" + b"\xff" * 7,  # cut off
        b"\x02\x01\x05\x01" + b"\xff" * 8,  # one page of two
        b"\x02\x00\x05\x01" + b"\x00" * 8,  # nothing counted
        b"\x02\x00\x05\x00" + b"\xff" * 64,  # bits that are none
        b"\x02\x00\x05\x03" + b"\xff" * 24,
        b"\x02\x00\x05\x20" + b"\xff" * 256,
        b"\x02\x00\x05\xff" + b"\xff" * 2040,
        b"\x02\x01\x05\x01" + b"\xff" * 8 + b"\x05\x01" + b"\xff" * 8,  # the same page twice
        b"\x02\x01\x05\x01" + b"\xff" * 8 + b"\x04\x01" + b"\xff" * 8,  # in descending order
        b"\x02\x00\x00\x01" + b"\xff" * 8 + b"\x01\x01",  # a bucket of the page in the list, too
        b"\x02\x00\x00\x01" + b"\xff" * 8 + b"\x02\x01\xe7\x07\x01",  # the same, behind one between
        b"\x02\x00\x00\x01" + b"\xff" * 8 + b"\x02" + b"\xff" * 8 + b"\x7f",  # 2^63 - 1, and 64 more
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


@pytest.mark.parametrize("encoded", [b"\x00", b"\x03", b"\x03\x01\x01"])
def test_a_version_that_is_not_known_is_an_error_that_names_it(encoded: bytes) -> None:
    good, other = LatencyHistogram.of([5000]), LatencyHistogram(encoded)
    message = f"a histogram of version {encoded[0]}, which this code does not know"
    with pytest.raises(ValueError, match=message):
        len(other)
    for left, right in ((good, other), (other, good)):
        with pytest.raises(ValueError, match=message):
            left + right
        with pytest.raises(ValueError, match=message):
            left - right


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
@pytest.mark.parametrize("used", [1, 7, 8, 64])
def test_pages_that_this_version_would_not_write_are_written_anew(bits: int, used: int) -> None:
    """With fewer milliseconds than make a page, or in more bits than they need."""
    loose = LatencyHistogram(bytes([2, 0, 3, bits]) + packed(dict.fromkeys(range(used), 1), bits))
    tight = of(page_of(range(192, 192 + used)))
    assert loose + LatencyHistogram() == LatencyHistogram() + loose == tight
    assert loose.values_at(range(1, used + 1)) == tight.values_at(range(1, used + 1))


pages = st.lists(
    st.tuples(
        st.integers(0, 255), st.sampled_from([0, 1, 2, 3, 4, 8, 16]), st.binary(min_size=1, max_size=9)
    ),
    min_size=1,
    max_size=3,
).map(
    lambda some: (
        bytes([2, len(some) - 1])
        + b"".join(bytes([page, bits]) + (data * 128)[: 8 * bits] for page, bits, data in sorted(some))
    )
)


@given(
    st.one_of(st.just(b"\x01"), st.binary(max_size=40).map(lambda data: b"\x01" + data), pages),
    st.binary(max_size=9),
)
def test_arbitrary_bytes_are_refused_or_become_canonical(encoded: bytes, more: bytes) -> None:
    histogram = LatencyHistogram(encoded + more)
    try:
        same = histogram + LatencyHistogram()
    except ValueError:
        with pytest.raises(ValueError, match="malformed"):
            len(histogram)
    else:
        values = histogram.values_at(range(1, min(len(histogram), 3) + 1))
        assert len(same) == len(histogram)
        assert same + LatencyHistogram() == same
        assert same.values_at(range(1, len(values) + 1)) == values
        if len(histogram) < 10_000:
            assert same.encoded == encode(Counter(map(bucket, histogram.values_at(range(1, len(same) + 1)))))


@given(buckets, st.data())
def test_a_damaged_encoding_never_passes_for_a_longer_one(counts: Counter[int], data: st.DataObject) -> None:
    encoded = encode(counts)
    cut = encoded[: data.draw(st.integers(0, len(encoded)))]
    try:
        held = LatencyHistogram(cut).values_at([]) == [] and len(LatencyHistogram(cut))
    except ValueError:
        return
    assert held <= counts.total()
