"""The dataflow: log lines to daily summaries per customer.

Byte ranges are read and pre-aggregated by the compiled kernel. What flows is neither a line nor a customer, but
a batch: the summaries of one day, for the customers of one shard. A customer is always in the same shard, as a
key is in a partitioned log; so the shard is the key, and its windows are days. Batches add up in any order, so
nothing is sorted and nothing waits. Why not a key per customer: docs/decisions/0003-windows-of-batches.md.
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
from processor.dataflow.shards import KEYS

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ShardDay:
    """Partial summaries of one day (days since 1970-01-01), for the customers of one shard."""

    shard: int
    day: int
    summaries: SummaryBatch


def build_flow(
    source: FixedPartitionedSource[ShardDay | PartReport, None],
    sink: DynamicSink[SummaryBatch | PartReport],
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
    part_reports = cast("Stream[PartReport]", kinds.falses)
    by_shard = op.key_on("by_shard", kinds.trues, lambda item: KEYS[item.shard])
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
    on_time = op.map("on_time", daily.down, lambda keyed: keyed[1][1].total())
    late = op.map("late", daily.late, lambda keyed: keyed[1][1].summaries)
    op.output("stage", op.merge("all", on_time, late, part_reports), sink)
    return flow


def _is_partial_summary(item: ShardDay | PartReport) -> TypeGuard[ShardDay]:
    return isinstance(item, ShardDay)
