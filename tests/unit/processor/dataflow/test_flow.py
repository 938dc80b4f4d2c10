"""The dataflow by itself."""

import datetime as dt
import time
from collections.abc import Iterator
from typing import Any

from bytewax.run import cli_main
from bytewax.testing import TestingSink, TestingSource

from logstats.domain.batch import SummaryBatch
from logstats.native import Aggregator
from processor.dataflow.flow import Report, ShardDay, Staged, build_flow

_PAUSE = dt.timedelta(seconds=0.05)


def _summaries_then_pauses() -> Iterator[ShardDay | TestingSource.PAUSE]:
    """Summaries of a day long past, then a second in which a kernel would be reading."""
    aggregator = Aggregator()
    aggregator.feed(b"".join(b"2024-09-03 12:00:00 c%d /a 200 1\n" % number for number in range(100)))
    for shard, day, batch in aggregator.drain_batches(8):
        yield ShardDay(0, shard, day, SummaryBatch(batch))
    for _ in range(20):
        yield TestingSource.PAUSE(_PAUSE)


def test_trap_02_idle_workers_do_not_spin() -> None:
    """With the event clock's default, workers that hold a day long past are woken for its end again and again.

    Each then burns a core, and the GIL that goes with it: two workers were slower than one.
    """
    staged: list[Staged | Report] = []
    source: Any = TestingSource(_summaries_then_pauses())
    flow = build_flow(source, TestingSink(staged), dt.timedelta.max)
    started = time.process_time()
    cli_main(flow, workers_per_process=4)  # type: ignore[no-untyped-call]  # bytewax gives it no types
    burnt = time.process_time() - started
    assert sum(len(item) for _, item in staged if isinstance(item, SummaryBatch)) == 100
    assert burnt < 0.3
