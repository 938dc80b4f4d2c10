"""The dataflow: log lines to daily summaries per customer.

Byte ranges are read and pre-aggregated by the compiled kernel. What flows is neither a line nor a customer, but
a batch: the summaries of one day, for the customers of one shard. A customer is always in the same shard, as a
key is in a partitioned log; so the shard is the key, and its windows are days. Batches add up in any order, so
nothing is sorted and nothing waits. Why not a key per customer: docs/decisions/0003-windows-of-batches.md.

A run may read several small log objects, each for its own attempt: every item says which one of them it is of.
"""

import datetime as dt
from dataclasses import dataclass
from typing import TypeGuard, cast

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.dataflow import Dataflow, Stream
from bytewax.inputs import FixedPartitionedSource
from bytewax.outputs import DynamicSink

from logstats.domain.batch import BatchSum, SummaryBatch
from processor.dataflow.report import PartReport
from processor.dataflow.shards import key_of, log_of

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ShardDay:
    """Partial summaries of one day (days since 1970-01-01), for the customers of one shard; of the run's `log`, from 0."""

    log: int
    shard: int
    day: int
    summaries: SummaryBatch


Report = tuple[int, PartReport]
"""The run's log, from 0, and what one of its byte ranges held."""
Staged = tuple[int, SummaryBatch]
"""The run's log, from 0, and contributions of it."""


def build_flow(
    source: FixedPartitionedSource[ShardDay | Report, None],
    sink: DynamicSink[Staged | Report],
    wait_for_system_duration: dt.timedelta,
) -> Dataflow:
    """Return the dataflow from partial summaries and reports of byte ranges to contributions and the same reports.

    The sink must accept several partial summaries per customer and day: the event clock waits for out-of-order data no
    longer than `wait_for_system_duration`. A window that closed early frees its state; what comes after it is late, and
    merged like everything else.
    """
    flow = Dataflow("daily_statistics")
    read = op.input("read", flow, source)
    kinds = op.branch("kinds", read, _is_partial_summary)
    reports = cast("Stream[Report]", kinds.falses)
    by_shard = op.key_on("by_shard", kinds.trues, lambda item: key_of(item.log, item.shard))
    daily = win.fold_window(
        "daily",
        by_shard,
        clock=win.EventClock(
            ts_getter=lambda item: EPOCH + item.day * DAY,
            wait_for_system_duration=wait_for_system_duration,
            to_system_utc=lambda _: None,  # historical data: waking up for it would only burn time
        ),
        windower=win.TumblingWindower(align_to=EPOCH, length=DAY),
        builder=BatchSum,
        folder=lambda total, item: total.add(item.summaries),
        merger=BatchSum.merge,
        ordered=False,  # the default sorts: quadratic on random order
    )
    on_time = op.map("on_time", daily.down, lambda keyed: (log_of(keyed[0]), keyed[1][1].total()))
    late = op.map("late", daily.late, lambda keyed: (log_of(keyed[0]), keyed[1][1].summaries))
    op.output("stage", op.merge("all", on_time, late, reports), sink)
    return flow


def _is_partial_summary(item: ShardDay | Report) -> TypeGuard[ShardDay]:
    return isinstance(item, ShardDay)
