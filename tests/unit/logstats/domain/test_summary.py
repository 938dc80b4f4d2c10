"""Daily summaries: parts add up, percentiles stay within minimum and maximum; a request may lack a duration."""

from dataclasses import replace
from functools import reduce
from operator import add

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstats.domain.breakdown import MAX_ROUTES, Breakdown
from logstats.domain.histogram import LatencyHistogram
from logstats.domain.summary import PERCENTILES, DailySummary
from tests.breakdowns import Seen, encode

Entries = list[tuple[int, int | None]]

durations = st.one_of(st.integers(0, 86_400_000_000), st.integers(0, 7999).map(lambda ms: ms * 1000))
statuses = st.sampled_from([100, 200, 302, 399, 400, 404, 499, 500, 503, 599])
requests = st.sampled_from([durations, st.none(), durations | st.none()]).flatmap(
    lambda some: st.lists(st.tuples(statuses, some), min_size=1, max_size=40)
)


def of(entries: Entries) -> DailySummary:
    """The summary of (status, microseconds) pairs."""
    durations = [us for _, us in entries if us is not None]
    return DailySummary(
        len(entries),
        sum(400 <= status < 500 for status, _ in entries),
        sum(status >= 500 for status, _ in entries),
        len(entries) - len(durations),
        sum(durations),
        min(durations, default=None),
        max(durations, default=None),
        LatencyHistogram.of(durations),
    )


@given(requests)
def test_requests_one_by_one_add_up_in_any_order_and_can_be_taken_out(entries: Entries) -> None:
    singles, whole = [of([entry]) for entry in entries], of(entries)
    assert reduce(add, singles) == reduce(add, reversed(singles)) == whole
    assert (whole + whole).subtract(whole, (whole.duration_min_us, whole.duration_max_us)) == whole


@given(requests, requests)
def test_what_is_taken_out_leaves_the_rest(entries: Entries, others: Entries) -> None:
    rest = of(others)
    extremes = (rest.duration_min_us, rest.duration_max_us)
    assert (of(entries) + rest).subtract(of(entries), extremes) == rest


@given(requests)
def test_percentiles_are_nearest_ranks(entries: Entries) -> None:
    exact = sorted(us for _, us in entries if us is not None)
    summary = of(entries)
    assert summary.timed_requests == len(exact)
    for percent, found in zip(PERCENTILES, summary.percentiles_us(), strict=True):
        if found is None:
            assert not exact
            continue
        wanted = exact[-(-percent * len(exact) // 100) - 1]
        assert abs(found - wanted) * 10_000 <= wanted
        assert exact[0] <= found <= exact[-1]


@pytest.mark.parametrize("us", [1_000_001, 20_000_001, 50_123_457, 86_399_999_999])
def test_percentiles_of_equal_durations_are_that_duration(us: int) -> None:
    """A bucket's representative is near; minimum and maximum are exact."""
    assert LatencyHistogram.of([us]).values_at([1]) != [us]
    assert of([(200, us)] * 3).percentiles_us() == (us,) * 4


def test_parts_of_one_log_object_are_united_with_their_routes_bounded() -> None:
    left, right = (
        replace(
            of([(200, 1)] * MAX_ROUTES),
            breakdown=Breakdown(encode([Seen(0, b"/%d" % number, 200, 1) for number in part])),
        )
        for part in (range(MAX_ROUTES), range(MAX_ROUTES, 2 * MAX_ROUTES))
    )
    assert left.breakdown
    assert right.breakdown
    united, summed = left.unite(right), left + right
    assert united.breakdown
    assert united.breakdown.total_requests == united.total_requests == 2 * MAX_ROUTES
    assert {united.breakdown} == {left.breakdown.unite(right.breakdown)} != {summed.breakdown}
    assert replace(united, breakdown=None) == replace(summed, breakdown=None)
