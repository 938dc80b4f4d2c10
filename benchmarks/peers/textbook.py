"""Bytewax as its tutorials have it: one item per line, `collect_window`, every line kept until its day closes."""

import datetime as dt
from pathlib import Path

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.connectors.files import FileSource
from bytewax.dataflow import Dataflow
from bytewax.run import cli_main
from bytewax.testing import TestingSink

from benchmarks.peers import Row

Entry = tuple[str, tuple[dt.datetime, int, int]]


def aggregate(path: Path, threads: int) -> list[Row]:  # noqa: ARG001 - see below
    """One worker: a file that is read line by line has one partition, and Python's lock does not let two parse."""
    rows: list[Row] = []
    flow = Dataflow("textbook")
    lines = op.input("lines", flow, FileSource(path, batch_size=1000))
    requests = op.map("parse", lines, _parse)
    clock: win.EventClock[tuple[dt.datetime, int, int]] = win.EventClock(
        ts_getter=lambda request: request[0],
        wait_for_system_duration=dt.timedelta.max,
        to_system_utc=lambda _: (
            None
        ),  # the default is slower still: it wakes up without end for days long past
    )
    windower = win.TumblingWindower(
        align_to=dt.datetime(1970, 1, 1, tzinfo=dt.UTC), length=dt.timedelta(days=1)
    )
    daily = win.collect_window("daily", requests, clock, windower)
    op.output("out", op.map("statistics", daily.down, _statistics), TestingSink(rows))
    cli_main(flow)  # type: ignore[no-untyped-call]  # bytewax gives it no types
    return rows


def _parse(line: str) -> Entry:
    day, time, customer, _path, status, duration = line.split(" ")
    at = dt.datetime.fromisoformat(f"{day}T{time}+00:00")
    return customer, (at, int(status), round(float(duration) * 1e6))


def _statistics(window: tuple[str, tuple[int, list[tuple[dt.datetime, int, int]]]]) -> Row:
    customer, (_, requests) = window
    durations = sorted(duration for _, _, duration in requests)
    p50, p90, p95, p99 = (durations[-(-percent * len(durations) // 100) - 1] for percent in (50, 90, 95, 99))
    return (
        customer,
        requests[0][0].date().isoformat(),
        len(requests),
        sum(status // 100 == 4 for _, status, _ in requests),
        sum(status // 100 == 5 for _, status, _ in requests),
        sum(durations),
        p50,
        p90,
        p95,
        p99,
        durations[-1],
    )
