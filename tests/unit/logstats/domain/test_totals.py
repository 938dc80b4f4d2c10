"""Sums and percentiles of histograms as PostgreSQL sends them, against histograms added one by one."""

import struct
from collections import Counter
from collections.abc import Sequence
from functools import reduce
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstats.domain.histogram import LatencyHistogram, nearest_rank, percentiles_of_groups
from logstats.domain.summary import PERCENTILES
from tests.reference import encode, encode_without_pages
from tests.unit.logstats.domain.test_histogram import buckets

TRAILER = b"\xff\xff"

encodings = st.builds(
    lambda found, form: form(found), buckets, st.sampled_from([encode, encode_without_pages])
)


def rows(*groups_and_histograms: tuple[int, bytes]) -> bytearray:
    """Rows of binary COPY, without header and trailer."""
    return bytearray().join(
        struct.pack(">HiiI", 2, 4, group, len(encoded)) + encoded for group, encoded in groups_and_histograms
    )


def summed(encoded: Sequence[bytes]) -> LatencyHistogram:
    return reduce(add, map(LatencyHistogram, encoded), LatencyHistogram())


@given(st.lists(st.tuples(st.integers(0, 3), encodings), max_size=8))
def test_sums_and_percentiles_are_those_of_histograms_added_one_by_one(
    found: list[tuple[int, bytes]],
) -> None:
    total = summed([encoded for _, encoded in found])
    assert LatencyHistogram.of_rows(rows(*found)) == (total, len(rows(*found)))
    expected = []
    for group in range(4):
        histogram = summed([encoded for number, encoded in found if number == group])
        ranks = [nearest_rank(percent, len(histogram)) for percent in PERCENTILES]
        expected.append(tuple(histogram.values_at(ranks)) if histogram else (0,) * 4)
    assert percentiles_of_groups(rows(*found) + TRAILER, 4) == expected
    assert percentiles_of_groups(rows(*found), 4) == expected


@given(st.lists(encodings, min_size=1, max_size=3), st.data())
def test_a_sum_takes_the_rows_that_are_whole(found: list[bytes], data: st.DataObject) -> None:
    whole = rows(*((0, encoded) for encoded in found))
    length = data.draw(st.integers(0, len(whole)))
    ends = [len(rows(*((0, encoded) for encoded in found[:count]))) for count in range(len(found) + 1)]
    count = sum(end <= length for end in ends) - 1
    assert LatencyHistogram.of_rows(whole[:length]) == (summed(found[:count]), ends[count])


def test_the_trailer_is_the_end() -> None:
    encoded = LatencyHistogram.of([1_000]).encoded
    assert LatencyHistogram.of_rows(bytearray(TRAILER)) == (LatencyHistogram(), 2)
    found = rows((0, encoded)) + TRAILER
    assert LatencyHistogram.of_rows(found) == (LatencyHistogram(encoded), len(found))
    with pytest.raises(ValueError, match="malformed rows"):
        LatencyHistogram.of_rows(found + rows((0, encoded)))


@pytest.mark.parametrize(
    "wrong",
    [
        rows((0, b"\x01"))[:-1],  # not whole
        rows((1, b"\x01")),  # no such group
        rows((-1, b"\x01")),
        bytearray(struct.pack(">Hii", 2, 4, 0) + b"\xff\xff\xff\xff"),  # null
        bytearray(struct.pack(">HiiI", 3, 4, 0, 1) + b"\x01"),  # three columns
        bytearray(struct.pack(">HqI", 2, 8, 1) + b"\x01"),  # a bigint
        bytearray(struct.pack(">Hi", 2, -1) + b"\0\0\0\x01\x01" * 3),  # a null group
    ],
)
def test_rows_that_are_not_those_are_refused(wrong: bytearray) -> None:
    with pytest.raises(ValueError, match="malformed rows"):
        percentiles_of_groups(wrong, 1)


@pytest.mark.parametrize("wrong", [b"", b"\x07", b"\x01\x01", LatencyHistogram.of([0, 64_000]).encoded[:-1]])
def test_a_malformed_histogram_is_refused(wrong: bytes) -> None:
    good = LatencyHistogram.of([1_000]).encoded
    for found in (rows((0, wrong)), rows((0, good), (0, wrong))):
        with pytest.raises(ValueError, match="malformed histogram"):
            LatencyHistogram.of_rows(found)
        with pytest.raises(ValueError, match="malformed histogram"):
            percentiles_of_groups(found, 1)


def test_more_durations_than_can_be_counted_are_refused_and_the_last_that_can_are_not() -> None:
    most, one = encode(Counter({5: 2**63 - 2})), encode(Counter({5: 1}))
    assert percentiles_of_groups(rows((0, most), (0, one)), 1) == [(5,) * 4]
    for found in (rows((0, most), (0, one), (0, one)), rows((0, most), (0, most))):
        with pytest.raises(ValueError, match="more values than can be counted"):
            percentiles_of_groups(found, 1)
        with pytest.raises(ValueError, match="more values than can be counted"):
            LatencyHistogram.of_rows(found)


def test_no_groups_and_no_rows_are_nothing() -> None:
    assert percentiles_of_groups(bytearray(), 0) == []
    assert LatencyHistogram.of_rows(bytearray()) == (LatencyHistogram(), 0)
