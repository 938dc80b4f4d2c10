"""Batches of summaries: sums, shards, and rows for PostgreSQL."""

import datetime as dt
import random
import struct
from collections import defaultdict
from collections.abc import Iterator
from functools import reduce
from operator import add

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from psycopg.types.numeric import NumericBinaryLoader

from logstats.domain.batch import BatchSum, SummaryBatch
from logstats.native import Aggregator, percentiles
from logstats.rows import COLUMNS, COPY, NULLABLE, from_summary, to_summary
from tests.batches import packed
from tests.blocks import block
from tests.reference import aggregate, keeping_all

Batches = dict[tuple[int, int], SummaryBatch]
seeds = st.integers(0, 2**64 - 1)


def whole_lines(seed: int, lines: int = 60) -> bytes:
    return block(seed, lines).removesuffix(b"\n") + b"\n"


def batches(data: bytes, shards: int = 3) -> Batches:
    """The batches of a log by shard and day."""
    aggregator = keeping_all(0)
    aggregator.feed(data)
    return {(shard, day): SummaryBatch(encoded) for shard, day, encoded in aggregator.drain_batches(shards)}


# ---- Draining --------------------------------------------------------------------------------------


@given(seeds, st.integers(1, 70))
def test_batches_hold_every_summary_once_in_order(seed: int, shards: int) -> None:
    data = whole_lines(seed)
    found = batches(data, shards)
    assert list(found) == sorted(found)
    assert all(0 <= shard < shards for shard, _ in found)
    summaries = {}
    for (_, day), batch in found.items():
        customers = [customer.encode() for customer, _ in batch]
        assert customers == sorted(set(customers))
        assert len(batch) == len(customers) > 0
        for customer, summary in batch:
            summaries[customer.encode(), day] = summary
    assert {
        key: to_summary((*numbers, histogram, breakdown))
        for key, (numbers, histogram, breakdown) in aggregate(data).summaries.items()
    } == summaries


def test_a_customer_has_one_shard_in_every_file_and_on_every_machine() -> None:
    """The processes of a cluster agree on it, so it is written down here."""
    expected = {
        "cust_1": 12,
        "cust_2": 12,
        "cust_50": 23,
        "x": 18,
        "a-customer-of-23-letters": 8,
        "kündin": 57,
    }
    shards: dict[str, int] = {}
    for day in (3, 4):
        lines = [f"2024-09-0{day} 12:00:00 {name} /a 200 0.5\n" for name in expected]
        random.Random(day).shuffle(lines)
        for (shard, _), batch in batches("".join(lines).encode(), 64).items():
            for customer, _ in batch:
                assert shards.setdefault(customer, shard) == shard
    assert shards == expected


def test_customers_spread_over_shards() -> None:
    lines = b"".join(b"2024-09-03 12:00:00 cust_%d /a 200 0.5\n" % number for number in range(6_400))
    sizes = [len(batch) for batch in batches(lines, 64).values()]
    assert len(sizes) == 64
    assert 50 < min(sizes) <= max(sizes) < 150


def test_an_aggregator_is_not_fed_while_it_is_drained() -> None:
    aggregator = Aggregator()
    line = b"2024-09-03 12:00:00 cust_1 /a 200 0.5\n"
    aggregator.feed(line + line.replace(b"03", b"04", 1))
    draining = aggregator.drain_batches(1)
    next(draining)
    with pytest.raises(RuntimeError, match="take all batches"):
        aggregator.feed(line)
    assert len(list(draining)) == 1
    aggregator.feed(line)
    assert len(list(aggregator.drain_batches(1))) == 1


@pytest.mark.parametrize("shards", [0, -1, 1 << 32])
def test_there_is_at_least_one_shard(shards: int) -> None:
    with pytest.raises(ValueError, match="impossible"):
        next(Aggregator().drain_batches(shards))


# ---- Sums ------------------------------------------------------------------------------------------


@given(st.lists(seeds, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_parts_in_any_order_add_up_to_the_whole(parts: list[int], rng: random.Random) -> None:
    logs = [whole_lines(seed, 20) for seed in parts]
    whole = batches(b"".join(logs))
    rng.shuffle(logs)
    found = defaultdict(list)
    for log in logs:
        for key, batch in batches(log).items():
            found[key].append(batch)
    assert {key: reduce(add, some) for key, some in found.items()} == whole
    assert {key: summed(some).total() for key, some in found.items()} == whole
    halves = {
        key: summed(some[: len(some) // 2]).merge(summed(some[len(some) // 2 :]))
        for key, some in found.items()
    }
    assert {key: half.total() for key, half in halves.items()} == whole


def summed(some: list[SummaryBatch]) -> BatchSum:
    total = BatchSum()
    for batch in some:
        assert total.add(batch) is total
    return total


durations = st.lists(st.integers(0, 86_400_000_000), max_size=5)


@given(durations, st.integers(0, 3), durations, st.integers(0, 3))
def test_requests_without_durations_add_up(
    some: list[int], untimed: int, others: list[int], also_untimed: int
) -> None:
    """As in `DailySummary`, whichever side has durations: one, both, or none."""
    left = SummaryBatch(packed(b"c", 1, some, untimed=untimed))
    right = SummaryBatch(packed(b"c", 1, others, untimed=also_untimed))
    whole = SummaryBatch(packed(b"c", 1, some + others, untimed=untimed + also_untimed))
    assert left + right == right + left == whole
    [(_, one)], [(_, other)], [(_, total)] = left, right, whole
    assert one + other == total
    assert total.timed_requests == len(some + others)
    assert total.duration_min_us == min(some + others, default=None)
    assert total.duration_max_us == max(some + others, default=None)


def test_nothing_adds_nothing() -> None:
    one = SummaryBatch(packed(b"c", 1, [5]))
    assert BatchSum().total() == SummaryBatch(b"")
    assert SummaryBatch(b"") + one == one + SummaryBatch(b"") == one
    assert len(SummaryBatch(b"")) == 0
    assert list(SummaryBatch(b"")) == []


def test_a_sum_copies_little() -> None:
    """Adding n batches one by one holds a logarithmic number of them."""
    total = BatchSum()
    for number in range(1_000):
        total.add(SummaryBatch(packed(b"c%04d" % number, 1, [5])))
        assert len(total.runs) <= 12
    assert [customer for customer, _ in total.total()] == [f"c{number:04}" for number in range(1_000)]


def test_customers_sort_by_bytes_then_length() -> None:
    names = ["a", "a!", "aaaaaaaa", "aaaaaaaaa", "aaaaaaaab", "b", "z", "~", "é", "😀"]
    one = [SummaryBatch(packed(name.encode(), 1, [5])) for name in names]
    for seed in range(20):
        random.Random(seed).shuffle(one)
        assert [customer for customer, _ in reduce(add, one)] == names


def test_sums_carry_beyond_64_bits() -> None:
    big = SummaryBatch(packed(b"c", 1, [5], sum=2**64 - 1))
    [(_, summary)] = big + big + big
    assert summary.duration_sum_us == 3 * (2**64 - 1)
    assert (summary.duration_min_us, summary.duration_max_us, summary.total_requests) == (5, 5, 3)


# ---- Rows ------------------------------------------------------------------------------------------


def rows(data: bytes) -> Iterator[dict[str, bytes]]:
    """Take binary COPY rows apart; what is null is left out."""
    at = 0
    while at < len(data):
        assert struct.unpack_from(">h", data, at) == (len(COPY),)
        at += 2
        row = {}
        for column in COPY:
            (length,) = struct.unpack_from(">i", data, at)
            if length == -1:
                at += 4
                continue
            row[column] = data[at + 4 : at + 4 + length]
            assert len(row[column]) == length
            at += 4 + length
        yield row


numeric = NumericBinaryLoader(0).load


@given(seeds)
def test_rows_say_what_the_summaries_say(seed: int) -> None:
    for (_, day), batch in batches(whole_lines(seed)).items():
        found = list(rows(batch.copy_rows(2**40 + 1, -7)))
        assert len(found) == len(batch)
        for row, (customer, summary) in zip(found, batch, strict=True):
            integers = {
                column: int.from_bytes(value, "big", signed=True)
                for column, value in row.items()
                if column not in {"customer_id", "histogram", "breakdown", "duration_sum_us"}
            }
            values = zip(COLUMNS, from_summary(summary), strict=True)
            expected = {column: value for column, value in values if value is not None}
            assert row["customer_id"].decode() == customer
            assert row["histogram"] == expected.pop("histogram")
            assert row["breakdown"] == expected.pop("breakdown")
            assert numeric(row["duration_sum_us"]) == expected.pop("duration_sum_us")
            date = day - (dt.date(2000, 1, 1) - dt.date(1970, 1, 1)).days
            assert integers == {"attempt_id": 2**40 + 1, "date": date, "part": -7, **expected}
            assert len(row["date"]) == 4


@given(durations, st.integers(0, 3))
def test_a_row_is_null_where_no_request_has_a_duration(some: list[int], untimed: int) -> None:
    assume(some or untimed)
    batch = SummaryBatch(packed(b"c", 1, some, untimed=untimed))
    [row], [(_, summary)] = rows(batch.copy_rows(1, 1)), batch
    found = {column: int.from_bytes(value, "big") for column, value in row.items()}
    expected = dict(zip(COLUMNS, from_summary(summary), strict=True))
    for column in NULLABLE:
        assert found.get(column) == expected[column]
    assert {column for column in COLUMNS if column not in row} == {
        "breakdown",
        *(() if some else NULLABLE),
    }
    assert percentiles(batch.encoded) == [us or 0 for us in summary.percentiles_us()]


@pytest.mark.parametrize(
    "value",
    [0, 1, 9_999, 10_000, 10_001, 100_000_000, 10**12, 2**63, 2**64 - 1, 2**64, 10**38 - 1, 2**128 - 1],
)
def test_sums_of_any_size_become_numeric(value: int) -> None:
    [row] = rows(SummaryBatch(packed(b"c", 1, [5], sum=value)).copy_rows(1, 1))
    assert numeric(row["duration_sum_us"]) == value


# ---- Damage ----------------------------------------------------------------------------------------


def test_a_cut_batch_is_malformed() -> None:
    encoded = packed(b"cust_1", 1, [5, 6, 7]) + packed(b"cust_2", 1, [8])
    second = len(packed(b"cust_1", 1, [5, 6, 7]))
    other = SummaryBatch(packed(b"cust_3", 1, [9]))
    for length in range(1, len(encoded)):
        if length == second:
            continue
        cut = SummaryBatch(encoded[:length])
        for attempt in (
            cut.__len__,
            lambda cut=cut: cut + other,
            lambda cut=cut: other + cut,
            lambda cut=cut: cut.copy_rows(1, 1),
        ):
            with pytest.raises(ValueError, match="malformed"):
                attempt()


@pytest.mark.parametrize("day", [-(2**31), -1, 84_006, 2**31 - 1])
def test_a_day_on_which_no_request_can_be_is_malformed(day: int) -> None:
    batch = SummaryBatch(packed(b"c", day, [5]))
    for attempt in (batch.__len__, lambda: batch.copy_rows(1, 1), lambda: batch + batch):
        with pytest.raises(ValueError, match="malformed"):
            attempt()
    assert len(SummaryBatch(packed(b"c", 0, [5]) + packed(b"c", 84_005, [5]))) == 2


@pytest.mark.parametrize(
    "batch",
    [
        packed(b"c", 1, [5, 6], total=3),  # more than the histogram holds
        packed(b"c", 1, [5, 6], total=1),
        packed(b"c", 1, [5, 6], total=0),
        packed(b"c", 1, []),
        packed(b"c", 1, [], total=1),  # more with a duration than the histogram holds
        packed(b"c", 1, [5, 6], untimed=2, total=2),
        packed(b"c", 1, [], untimed=3, total=2),
        packed(b"c", 1, [5, 6])[:-1] + b"\x00",  # not a count
        packed(b"c", 1, [5, 6], total=2**64 - 1),
    ],
)
def test_a_summary_that_contradicts_itself_is_not_written(batch: bytes) -> None:
    with pytest.raises(ValueError, match="malformed"):
        SummaryBatch(batch).copy_rows(1, 1)


def test_histograms_that_cannot_be_added_are_an_error() -> None:
    good = packed(b"c", 1, [5])
    with pytest.raises(ValueError, match="malformed histogram"):
        SummaryBatch(good) + SummaryBatch(good[:-1] + b"\x00")
