"""Shards: dealt evenly to the workers by Bytewax itself."""

from collections import Counter

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main
from bytewax.testing import TestingSink, TestingSource

from processor.dataflow.shards import KEYS, count_shards

MEBIBYTE = 1 << 20


def _place(keys: tuple[str, ...], workers: int) -> dict[str, int]:
    """Let Bytewax send keys to workers; return the worker of each."""
    placed: dict[str, int] = {}
    flow = Dataflow("placement")
    read = op.input("read", flow, TestingSource([(key, None) for key in keys]))
    keyed = op.stateful_map("keyed", read, lambda state, _: (state, None))
    seen = op.inspect_debug("seen", keyed, lambda _step, item, _epoch, at: placed.update({item[0]: at}))
    op.output("write", seen, TestingSink([]))
    cli_main(flow, workers_per_process=workers)  # type: ignore[no-untyped-call]  # bytewax gives it no types
    return placed


@pytest.mark.parametrize("workers", [2, 3, 4, 6, 8])
@pytest.mark.parametrize("held", [0, 33 * MEBIBYTE])
def test_every_worker_gets_as_many_shards(workers: int, held: int) -> None:
    shards = count_shards(workers, held)
    placed = _place(KEYS[:shards], workers)
    assert set(Counter(placed.values()).values()) == {shards // workers}
    assert len(placed) == shards


def test_the_table_says_where_a_key_goes() -> None:
    assert [_place(KEYS, len(KEYS))[key] for key in KEYS] == list(range(len(KEYS)))


def test_who_holds_little_has_few_items() -> None:
    assert count_shards(1, 32 * MEBIBYTE) == 1
    assert count_shards(1, 32 * MEBIBYTE + 1) == 4
    assert count_shards(2, 0) == 2
    assert count_shards(2, 33 * MEBIBYTE) == 8


@pytest.mark.parametrize("workers", range(1, 50))
def test_no_worker_is_without_a_shard_unless_there_are_many(workers: int) -> None:
    few, many = count_shards(workers, 0), count_shards(workers, 33 * MEBIBYTE)
    assert min(workers, len(KEYS)) <= few <= many <= len(KEYS)


@pytest.mark.parametrize("workers", [1, 2, 3, 4, 6, 8, 12, 24])
def test_a_shard_of_few_is_whole_shards_of_many_on_the_same_worker(workers: int) -> None:
    """So a customer is at one worker, whatever another one holds."""
    few, many = count_shards(workers, 0), count_shards(workers, 33 * MEBIBYTE)
    assert many % few == 0
    placed = _place(KEYS[:many], workers)
    assert all(placed[KEYS[shard]] == placed[KEYS[shard % few]] for shard in range(many))
