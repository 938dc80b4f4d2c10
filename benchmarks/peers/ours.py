"""This project: the processor's own dataflow, with sinks that keep the result in memory."""

import datetime as dt
from pathlib import Path
from typing import TypeVar

from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

from benchmarks.peers import Row
from logstats.batch import SummaryBatch
from logstats.native import percentiles, records
from processor.flow import PartReport, build_flow
from processor.monitor import Monitor
from processor.objects import LocalFile
from processor.source import LogSource

T = TypeVar("T")
EPOCH = dt.date(1970, 1, 1)


class _Partition(StatelessSinkPartition[T]):
    def __init__(self, items: list[T]) -> None:
        self._items = items

    def write_batch(self, items: list[T]) -> None:
        self._items += items


class _ListSink(DynamicSink[T]):
    def __init__(self, items: list[T]) -> None:
        self._items = items

    def build(self, _step_id: str, _worker_index: int, _worker_count: int) -> _Partition[T]:
        return _Partition(self._items)


def aggregate(path: Path, threads: int) -> list[Row]:
    """From opening the file to rows with percentiles."""
    staged: list[SummaryBatch | PartReport] = []
    monitor = Monitor()
    source = LogSource(LocalFile.at(path), threads, monitor)
    flow = build_flow(source, _ListSink(staged), dt.timedelta.max)
    cli_main(flow, workers_per_process=min(threads, len(source.ranges)))  # type: ignore[no-untyped-call]
    if monitor.error:
        raise monitor.error
    rows = [row for item in staged if isinstance(item, SummaryBatch) for row in _rows(item)]
    accepted = sum(item.accepted for item in staged if isinstance(item, PartReport))
    assert accepted == sum(row[2] for row in rows)
    return rows


def _rows(batch: SummaryBatch) -> list[Row]:
    ranks = iter(percentiles(batch.encoded))
    dates: dict[int, str] = {}
    rows = []
    for summary, p50, p90, p95, p99 in zip(records(batch.encoded), ranks, ranks, ranks, ranks, strict=True):
        customer, day, (total, client, server, duration_sum, _, most), _ = summary
        date = dates.get(day) or dates.setdefault(day, (EPOCH + dt.timedelta(days=day)).isoformat())
        rows.append((customer.decode(), date, total, client, server, duration_sum, p50, p90, p95, p99, most))
    return rows
