"""This project: the processor's own dataflow, with a sink that keeps the result in memory."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

from benchmarks.peers import Row
from logstats.domain.batch import SummaryBatch
from logstats.formats import presets
from logstats.native import Kept, percentiles, records
from processor.dataflow.flow import Report, Staged, build_flow
from processor.dataflow.source import LogSource
from processor.dataflow.worker_errors import WorkerErrors
from processor.reading.head import read_head
from processor.reading.objects import LocalFile
from processor.reading.readable import recognise
from processor.reading.rules import FormatRule

Item = Staged | Report
T = TypeVar("T")
EPOCH = dt.date(1970, 1, 1)


class _Partition(StatelessSinkPartition[Item]):
    def __init__(self, sink: "_ResultSink[T]") -> None:
        self._sink = sink

    def write_batch(self, items: list[Item]) -> None:
        for _, item in items:
            if isinstance(item, SummaryBatch):
                self._sink.results.append(self._sink.make(item))
            else:
                self._sink.accepted += item.accepted


class _ResultSink(DynamicSink[Item], Generic[T]):
    """Makes a result of what comes, on the worker that it comes to."""

    def __init__(self, make: Callable[[SummaryBatch], T]) -> None:
        self.make, self.accepted = make, 0
        self.results: list[T] = []

    def build(self, _step_id: str, _worker_index: int, _worker_count: int) -> _Partition:
        return _Partition(self)


def aggregate(path: Path, threads: int) -> list[Row]:
    """From opening the file, whose name has its format, to rows with percentiles; in a `.log` it is recognised."""
    return [row for batch in run(path, threads, Kept(), _rows) for row in batch]


def run(path: Path, threads: int, kept: Kept, make: Callable[[SummaryBatch], T]) -> list[T]:
    """Aggregate a file, and return what is made of each batch of summaries."""
    errors, sink = WorkerErrors(), _ResultSink(make)
    stored = LocalFile.at(path)
    name = path.name.split(".")[1]
    rules = [FormatRule(format=name)] if name in presets() else ()
    log = recognise(stored, read_head(stored), rules)
    source = LogSource([log], threads, errors, kept=kept)
    flow = build_flow(source, sink, dt.timedelta.max)
    cli_main(flow, workers_per_process=min(threads, len(source.parts)))  # type: ignore[no-untyped-call]  # bytewax gives it no types
    if errors.error:
        raise errors.error
    assert sink.accepted
    return sink.results


def _rows(batch: SummaryBatch) -> list[Row]:
    ranks = iter(percentiles(batch.encoded))
    rows, date = [], ""
    for summary, p50, p90, p95, p99 in zip(records(batch.encoded), ranks, ranks, ranks, ranks, strict=True):
        customer, day, (total, client, server, _, duration_sum, _, most), *_ = summary
        date = date or (EPOCH + dt.timedelta(days=day)).isoformat()  # all are of the same day
        rows.append((customer.decode(), date, total, client, server, duration_sum, p50, p90, p95, p99, most))
    return rows
