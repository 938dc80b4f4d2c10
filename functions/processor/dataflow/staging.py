"""Run the dataflow: everything a log object holds is staged under an attempt."""

import datetime as dt
import os
from contextlib import nullcontext
from dataclasses import dataclass

import sqlalchemy as sa
from bytewax.run import cli_main

from logstats.native import EVERYTHING, Kept
from processor.dataflow.flow import build_flow
from processor.dataflow.report import PartReport, in_order, send
from processor.dataflow.sink import StagingSink
from processor.dataflow.source import LogSource, Progress
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


def stage(
    engine: sa.Engine,
    log: ReadableLog,
    attempt_id: int,
    running: Running,
    connection: sa.Connection | None = None,
) -> list[PartReport]:
    """Read this process' share of a log object and stage the contributions of its customers.

    The engine has connections for workers that hold much; the rest is written on `connection`, or on another one. Return
    the reports of all byte ranges, in order; of a cluster's member none, since it has sent its own to the coordinator.
    What is raised is the first error of a worker.
    """
    errors = WorkerErrors()
    workers = running.workers * max(1, len(running.addresses))
    source = LogSource(log, workers, errors, running.progress, running.kept)
    sink = StagingSink(engine, attempt_id, errors)
    flow = build_flow(source, sink, running.wait_for_system_duration)
    with errors.interruptible():
        if running.addresses:
            cli_main(  # type: ignore[no-untyped-call]
                flow,
                workers_per_process=running.workers,
                process_id=running.process_id,
                addresses=list(running.addresses),
            )
        else:
            cli_main(flow, workers_per_process=min(running.workers, len(source.ranges)))  # type: ignore[no-untyped-call]
    if errors.error:
        raise errors.error
    with nullcontext(connection) if connection else engine.connect() as own, own.begin():
        sink.finish(own)
        if running.addresses:
            send(own, attempt_id, sink.reports)
            return []
    return in_order(sink.reports, len(source.ranges))
