"""The dataflow by itself."""

import datetime as dt
import time

from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.run import cli_main
from bytewax.testing import TestingSink

from logstats.domain.batch import SummaryBatch
from logstats.native import Aggregator
from processor.dataflow.flow import ShardDay, build_flow
from processor.dataflow.report import PartReport

_PAUSES = 20
_PAUSE_SECONDS = 0.05


class _SlowPartition(StatefulSourcePartition[ShardDay | PartReport, None]):
    """One summary of a day long past, then pauses in which a kernel would be reading."""

    def __init__(self) -> None:
        self._calls = 0

    def next_batch(self) -> list[ShardDay | PartReport]:
        self._calls += 1
        if self._calls > _PAUSES:
            raise StopIteration
        if self._calls > 1:
            time.sleep(_PAUSE_SECONDS)
            return []
        aggregator = Aggregator()
        aggregator.feed(b"".join(b"2024-09-03 12:00:00 c%d /a 200 1\n" % number for number in range(100)))
        return [
            ShardDay(shard, day, SummaryBatch(batch)) for shard, day, batch in aggregator.drain_batches(8)
        ]

    def snapshot(self) -> None:
        return None


class _SlowSource(FixedPartitionedSource[ShardDay | PartReport, None]):
    def list_parts(self) -> list[str]:
        return ["only"]

    def build_part(self, _step_id: str, _for_part: str, _resume_state: None) -> _SlowPartition:
        return _SlowPartition()


def test_trap_02_idle_workers_do_not_spin() -> None:
    """With the event clock's default, workers that hold a day long past are woken for its end again and again.

    Each then burns a core, and the GIL that goes with it: two workers were slower than one.
    """
    staged: list[SummaryBatch | PartReport] = []
    flow = build_flow(_SlowSource(), TestingSink(staged), dt.timedelta.max)
    started = time.process_time()
    cli_main(flow, workers_per_process=4)  # type: ignore[no-untyped-call]
    burnt = time.process_time() - started
    assert sum(len(item) for item in staged if isinstance(item, SummaryBatch)) == 100
    assert burnt < 0.5 * _PAUSES * _PAUSE_SECONDS
