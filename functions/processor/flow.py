"""The dataflow: log lines to daily summaries per customer.

Byte ranges are read and pre-aggregated by the compiled kernel; what flows is one summary per range, customer
and day, not one item per line. Summaries merge in any order, so nothing is sorted and nothing waits.
"""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource
from bytewax.outputs import DynamicSink

from logstats.summary import DailySummary

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CustomerDay:
    """A partial daily summary of one customer."""

    customer_id: str
    day: int
    summary: DailySummary

    @property
    def date(self) -> dt.date:
        """The UTC day."""
        return (EPOCH + self.day * DAY).date()


@dataclass(frozen=True, slots=True)
class PartReport:
    """What one byte range held; `rejects` are (line number within the range, reason, text)."""

    part: int
    physical_lines: int
    accepted: int
    rejected_by_reason: dict[str, int]
    size_bytes: int
    digests: bytes
    rejects: list[tuple[int, str, bytes]]


def build_flow(
    source: FixedPartitionedSource[CustomerDay | PartReport, None],
    contributions: DynamicSink[CustomerDay],
    reports: DynamicSink[PartReport],
    wait_for_system_duration: dt.timedelta,
) -> Dataflow:
    """Return the dataflow.

    Parameters
    ----------
    source
        Reads a log object; emits partial summaries, and one report per byte range.
    contributions, reports
        Sinks; `contributions` accepts several partial summaries per customer and day.
    wait_for_system_duration
        How long the event clock waits for out-of-order data. A window that closed early frees its state; what
        comes after it is late, and merged like everything else.
    """
    flow = Dataflow("daily_statistics")
    read = op.input("read", flow, source)
    partial_summaries = op.filter_map("partial_summaries", read, _only(CustomerDay))
    part_reports = op.filter_map("part_reports", read, _only(PartReport))
    by_customer = op.key_on("by_customer", partial_summaries, lambda item: item.customer_id)
    daily = win.fold_window(
        "daily",
        by_customer,
        clock=win.EventClock(
            ts_getter=lambda item: EPOCH + item.day * DAY,
            wait_for_system_duration=wait_for_system_duration,
            to_system_utc=lambda _: None,  # historical data: waking up for it would only burn time
        ),
        windower=win.TumblingWindower(align_to=EPOCH, length=DAY),
        builder=_nothing,
        folder=_merge,
        merger=_merge_windows,
        ordered=False,  # the default sorts: quadratic on random order
    )
    on_time = op.map("on_time", daily.down, _summary_of)
    late = op.map("late", daily.late, _summary_of)
    op.output("stage", op.merge("with_late", on_time, late), contributions)
    op.output("report", part_reports, reports)
    return flow


def _only(kind: type[T]) -> Callable[[object], T | None]:
    return lambda item: item if isinstance(item, kind) else None


def _nothing() -> CustomerDay | None:
    return None


def _merge(merged: CustomerDay | None, item: CustomerDay) -> CustomerDay | None:
    if merged is None:
        return item
    return CustomerDay(merged.customer_id, merged.day, merged.summary + item.summary)


def _merge_windows(left: CustomerDay | None, right: CustomerDay | None) -> CustomerDay | None:
    return left if right is None else _merge(left, right)


def _summary_of(keyed: tuple[str, tuple[int, CustomerDay | None]]) -> CustomerDay:
    _, (_window, customer_day) = keyed
    assert customer_day is not None  # noqa: S101 - a window opens with its first item
    return customer_day
