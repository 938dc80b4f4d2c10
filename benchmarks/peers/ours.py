"""This project: the processor's own dataflow, with a sink that keeps the result in memory."""

import datetime as dt
from pathlib import Path

from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.run import cli_main

from benchmarks.peers import Row
from logstats.domain.batch import SummaryBatch
from logstats.formats import presets
from logstats.native import percentiles, records
from processor.dataflow.flow import build_flow
from processor.dataflow.report import PartReport
from processor.dataflow.source import LogSource
from processor.dataflow.worker_errors import WorkerErrors
from processor.reading.head import read_head
from processor.reading.objects import LocalFile
from processor.reading.readable import recognise
from processor.reading.rules import FormatRule

Item = SummaryBatch | PartReport
EPOCH = dt.date(1970, 1, 1)


class _Partition(StatelessSinkPartition[Item]):
    def __init__(self, rows: list[Row], accepted: list[int]) -> None:
        self._rows, self._accepted = rows, accepted

    def write_batch(self, items: list[Item]) -> None:
        for item in items:
            if isinstance(item, SummaryBatch):
                self._rows += _rows(item)
            else:
                self._accepted.append(item.accepted)


class _RowSink(DynamicSink[Item]):
    """Makes rows of what comes, on the worker that it comes to."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self.accepted: list[int] = []

    def build(self, _step_id: str, _worker_index: int, _worker_count: int) -> _Partition:
        return _Partition(self.rows, self.accepted)


def aggregate(path: Path, threads: int) -> list[Row]:
    """From opening the file, whose name has its format, to rows with percentiles; in a `.log` it is recognised."""
    errors, sink = WorkerErrors(), _RowSink()
    stored = LocalFile.at(path)
    name = path.name.split(".")[1]
    rules = [FormatRule(format=name)] if name in presets() else ()
    log = recognise(stored, read_head(stored), rules)
    source = LogSource(log, threads, errors)
    flow = build_flow(source, sink, dt.timedelta.max)
    cli_main(flow, workers_per_process=min(threads, len(source.ranges)))  # type: ignore[no-untyped-call]
    if errors.error:
        raise errors.error
    assert sum(sink.accepted) == sum(row[2] for row in sink.rows)
    return sink.rows


def _rows(batch: SummaryBatch) -> list[Row]:
    ranks = iter(percentiles(batch.encoded))
    rows, date = [], ""
    for summary, p50, p90, p95, p99 in zip(records(batch.encoded), ranks, ranks, ranks, ranks, strict=True):
        customer, day, (total, client, server, _, duration_sum, _, most), *_ = summary
        date = date or (EPOCH + dt.timedelta(days=day)).isoformat()  # all are of the same day
        rows.append((customer.decode(), date, total, client, server, duration_sum, p50, p90, p95, p99, most))
    return rows
