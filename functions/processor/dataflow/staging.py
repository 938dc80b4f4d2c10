"""Run the dataflow: everything that log objects hold is staged, each under its attempt."""

import datetime as dt
import os
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import sqlalchemy as sa
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource
from bytewax.outputs import DynamicSink
from bytewax.run import cli_main

from logstats.native import EVERYTHING, Kept
from processor.dataflow.flow import Report, ShardDay, build_flow
from processor.dataflow.report import PartReport, in_order, send
from processor.dataflow.sink import Item, StagingPartition, StagingSink
from processor.dataflow.source import LogPartition, LogSource, Progress
from processor.dataflow.worker_errors import WorkerErrors
from processor.reading.readable import ReadableLog


def usable_cores() -> int:
    """Return how many cores this process may use; on Lambda the memory setting decides."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Running:
    """How the dataflow runs: worker threads of this process, which may be one of a cluster; and what is broken down.

    Then all have as many `workers`, and the same `addresses` (``host:port``), among which `process_id` is this one's place.
    """

    workers: int
    wait_for_system_duration: dt.timedelta = dt.timedelta.max
    progress: Progress = lambda _: None
    kept: Kept = EVERYTHING
    process_id: int = 0
    addresses: tuple[str, ...] = ()


class _Input(FixedPartitionedSource[ShardDay | Report, None]):
    """Reads the log objects of the run."""

    source: LogSource

    def list_parts(self) -> list[str]:
        return self.source.list_parts()

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> LogPartition:
        return self.source.build_part(step_id, for_part, resume_state)


class _Output(DynamicSink[Item]):
    """Stages under the attempts of the run."""

    sink: StagingSink

    def build(self, step_id: str, worker_index: int, worker_count: int) -> StagingPartition:
        return self.sink.build(step_id, worker_index, worker_count)


_idle: dict[dt.timedelta, list[tuple[_Input, _Output, Dataflow]]] = defaultdict(list)
"""Flows that nobody runs: Bytewax takes a third of a small log object's time to build one."""


@contextmanager
def _flow(source: LogSource, sink: StagingSink, wait_for_system_duration: dt.timedelta) -> Iterator[Dataflow]:
    """Yield a flow from a source to a sink: a description, which holds no state of its runs."""
    idle = _idle[wait_for_system_duration]
    try:
        read, staged, flow = idle.pop()
    except IndexError:
        read, staged = _Input(), _Output()
        flow = build_flow(read, staged, wait_for_system_duration)
    read.source, staged.sink = source, sink
    try:
        yield flow
    finally:
        del read.source, staged.sink
        idle.append((read, staged, flow))


def stage(
    engine: sa.Engine,
    logs: Mapping[int, ReadableLog],
    running: Running,
    connection: sa.Connection | None = None,
) -> list[list[PartReport]]:
    """Read this process' share of a log object, or several small ones, by attempt, and stage the contributions of their customers.

    The engine has connections for workers that hold much; the rest is written on `connection`, or on another one. Return
    the reports of each log's byte ranges, in order; of a cluster's member none, since it has sent its own to the coordinator.
    What is raised is the first error of a worker.
    """
    errors = WorkerErrors()
    workers = running.workers * max(1, len(running.addresses))
    source = LogSource(list(logs.values()), workers, errors, running.progress, running.kept)
    sink = StagingSink(engine, list(logs), errors)
    with _flow(source, sink, running.wait_for_system_duration) as flow, errors.interruptible():
        if running.addresses:
            cli_main(  # type: ignore[no-untyped-call]  # bytewax gives it no types
                flow,
                workers_per_process=running.workers,
                process_id=running.process_id,
                addresses=list(running.addresses),
            )
        else:
            cli_main(flow, workers_per_process=min(running.workers, len(source.parts)))  # type: ignore[no-untyped-call]  # bytewax gives it no types
    if errors.error:
        raise errors.error
    with nullcontext(connection) if connection else engine.connect() as own:
        sink.finish(own)
        if running.addresses:
            ((attempt_id, reports),) = zip(logs, sink.reports, strict=True)
            with own.begin():
                send(own, attempt_id, reports)
            return []
    counts = Counter(number for part in source.parts for number, *_ in part)
    return [in_order(reports, counts[number]) for number, reports in enumerate(sink.reports)]
