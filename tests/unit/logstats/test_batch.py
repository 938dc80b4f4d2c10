"""Batches of summaries, against sums of single ones."""

import random
import struct
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstats.batch import COLUMNS, BatchSum, SummaryBatch
from logstats.native import Aggregator
from logstats.summary import DailySummary

DAY = 19_969  # 2024-09-03

Entry = tuple[str, int, int]
entries = st.lists(
    st.tuples(
        st.sampled_from(["a", "ab", "abcdefgh", "abcdefghi", "abcdefgh\u00e9", "\U0001f600", "z" * 255]),
        st.sampled_from([200, 404, 503]),
        st.integers(0, 86_400_000_000),
    ),
    max_size=30,
)


def lines(requests: list[Entry]) -> bytes:
    return "".join(
        f"2024-09-03 12:00:00 {customer} /a {status} {Decimal(us).scaleb(-6):f}\n"
        for customer, status, us in requests
    ).encode()


def batch_of(requests: list[Entry]) -> SummaryBatch:
    aggregator = Aggregator()
    aggregator.feed(lines(requests))
    found = list(aggregator.drain_batches(1))
    assert [(shard, day) for shard, day, _ in found] == [(0, DAY)] * bool(requests)
    return SummaryBatch(found[0][2] if found else b"")


def summaries(batch: SummaryBatch) -> dict[str, DailySummary]:
    found = list(batch)
    assert len(found) == len(batch) == len(dict(found))
    assert [name for name, _ in found] == sorted((name for name, _ in found), key=str.encode)
    return dict(found)


@given(entries, entries)
def test_the_sum_of_batches_is_the_batch_of_all_lines(left: list[Entry], right: list[Entry]) -> None:
    both = batch_of(left) + batch_of(right)
    assert both == batch_of(left + right)
    assert summaries(both).keys() == {customer for customer, _, _ in left + right}


@given(st.lists(entries, max_size=12))
def test_a_growing_sum_is_the_batch_of_all_lines(pieces: list[list[Entry]]) -> None:
    total = BatchSum()
    for piece in pieces[1:]:
        total.add(batch_of(piece))
    everything = [entry for piece in pieces for entry in piece]
    first = BatchSum().add(batch_of(pieces[0])) if pieces else BatchSum()
    assert first.merge(total).total() == batch_of(everything)


def test_a_growing_sum_copies_little() -> None:
    total = BatchSum()
    for number in range(1_000):
        total.add(batch_of([(f"c{number:04}", 200, 1)]))
        assert len(total.runs) <= 10
    assert len(total.total()) == 1_000


@given(entries)
def test_copy_rows_carry_the_values_and_their_percentiles(requests: list[Entry]) -> None:
    batch = batch_of(requests)
    data, at, found = batch.copy_rows(attempt_id=7, part=-3), 0, {}
    while at < len(data):
        (columns,) = struct.unpack_from(">h", data, at)
        assert columns == len(COLUMNS)
        at += 2
        values = {}
        for name in COLUMNS:
            (length,) = struct.unpack_from(">i", data, at)
            values[name] = data[at + 4 : at + 4 + length]
            at += 4 + length
        found[values["customer_id"].decode()] = values
    assert found.keys() == summaries(batch).keys()
    for customer, summary in batch:
        values = found[customer]
        numbers = {name: int.from_bytes(value, signed=True) for name, value in values.items()}
        assert (numbers["attempt_id"], numbers["part"], numbers["date"]) == (7, -3, DAY - 10_957)
        assert numbers["total_requests"] == summary.total_requests
        assert (numbers["client_errors"], numbers["server_errors"]) == (
            summary.client_errors,
            summary.server_errors,
        )
        assert numeric(values["duration_sum_us"]) == summary.duration_sum_us
        assert numbers["duration_min_us"] == summary.duration_min_us
        assert numbers["duration_max_us"] == summary.duration_max_us
        assert values["histogram"] == summary.histogram.encoded
        percentiles = tuple(numbers[f"duration_p{percent}_us"] for percent in (50, 90, 95, 99))
        assert percentiles == summary.percentiles_us()


def numeric(value: bytes) -> int:
    count, weight, sign, scale, *digits = struct.unpack(f">{len(value) // 2}h", value)
    assert (len(digits), sign, scale) == (count, 0, 0)
    return sum(digit * 10_000 ** (weight - place) for place, digit in enumerate(digits))


def test_a_customer_is_always_in_the_same_shard() -> None:
    def shards(requests: list[Entry]) -> dict[str, int]:
        aggregator = Aggregator()
        aggregator.feed(lines(requests))
        return {
            customer: shard
            for shard, _, encoded in aggregator.drain_batches(8)
            for customer, _ in SummaryBatch(encoded)
        }

    requests = [(f"cust_{number}", 200, 1) for number in range(400)]
    whole = shards(requests)
    assert shards(random.Random(1).sample(requests, 30)).items() <= whole.items()
    sizes = [list(whole.values()).count(shard) for shard in range(8)]
    assert min(sizes) > 25
    # Pinned: processes of one cluster may run on different machines.
    assert [whole[f"cust_{number}"] for number in range(12)] == [3, 4, 4, 5, 6, 7, 7, 0, 1, 1, 4, 2]


def test_an_aggregator_takes_no_lines_while_batches_are_left() -> None:
    aggregator = Aggregator()
    aggregator.feed(lines([("a", 200, 1)]) + lines([("b", 200, 1)]))
    batches = aggregator.drain_batches(1)
    next(batches)
    with pytest.raises(RuntimeError, match="take all batches"):
        aggregator.feed(lines([("c", 200, 1)]))
    assert not list(batches)
    aggregator.feed(lines([("c", 200, 1)]))
    assert [customer for customer, *_ in aggregator.drain()] == [b"c"]


@given(entries.filter(bool), st.data())
def test_a_cut_batch_is_an_error(requests: list[Entry], data: st.DataObject) -> None:
    batch = batch_of(requests)
    whole_records = {0}
    for customer, _ in batch:
        whole_records.add(
            max(whole_records) + len(batch_of([r for r in requests if r[0] == customer]).encoded)
        )
    cut = data.draw(st.integers(1, len(batch.encoded) - 1).filter(lambda at: at not in whole_records))
    broken = SummaryBatch(batch.encoded[:cut])
    for use in (lambda: len(broken), lambda: broken + batch, lambda: broken.copy_rows(1, 1)):
        with pytest.raises(ValueError, match="malformed batch"):
            use()
