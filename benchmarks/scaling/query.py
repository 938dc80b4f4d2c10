"""What an answer of the API costs: the function's own handler with its database, answers not kept.

As a script, ``python -m benchmarks.scaling.query DAYS ...``, it asks for so many days and prints the mean seconds
of each, and PostgreSQL's CPU seconds per second.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median
from typing import Any

import psutil

from benchmarks.api.function import CONTEXT, EVENT, ROOT
from benchmarks.scaling.cpu import family_seconds

DAYS = (1, 360)
END = date(2024, 10, 3)
_INVOCATIONS = 300


@dataclass(frozen=True, slots=True)
class QueryCosts:
    """Seconds of an answer on one connection, for the request and for each day in it; PostgreSQL's CPU seconds per second."""

    request: float
    row: float
    database_share: float

    @property
    def per_second(self) -> float:
        """Answers of 30 days per second on one connection."""
        return 1 / (self.request + 30 * self.row)


def measure(url: str, postmaster: int, runs: int) -> QueryCosts:
    """Ask a database that has a year of `cust_1`; the medians of runs, in processes of their own."""
    found = [_ask(url, postmaster) for _ in range(runs)]
    seconds = [median(times) for times in zip(*(times for times, _ in found), strict=True)]
    row = (seconds[1] - seconds[0]) / (DAYS[1] - DAYS[0])
    return QueryCosts(seconds[0] - row * DAYS[0], row, median(share for _, share in found))


def _ask(url: str, postmaster: int) -> tuple[Sequence[float], float]:
    variables = {
        "DATABASE_URL": url,
        "DATABASE_TLS": "disable",
        "DATABASE_IAM_AUTH": "false",
        "API_AUTH": "none",
        "API_CACHE_BYTES": "0",
        "PYTHONPATH": f"{ROOT / 'layers'}:{ROOT / 'functions'}:{ROOT}",
    }
    command = [sys.executable, "-m", "benchmarks.scaling.query", str(postmaster), *map(str, DAYS)]
    done = subprocess.run(
        command, env={**os.environ, **variables}, check=True, capture_output=True, text=True
    )
    *seconds, share = json.loads(done.stdout)
    return seconds, share


def main() -> None:
    postmaster, *days = map(int, sys.argv[1:])
    handler = importlib.import_module("api.handler").handler
    server = psutil.Process(postmaster)
    events = [_event(count) for count in days]
    for event, count in zip(events, days, strict=True):
        for _ in range(_INVOCATIONS // 10):
            handler(event, CONTEXT)
        answer = handler(event, CONTEXT)
        if len(json.loads(answer["body"])) != count:
            raise SystemExit(f"{count} days were asked for: {answer}")
    seconds, before, began = [], family_seconds(server), time.monotonic()
    for event in events:
        started = time.monotonic()
        for _ in range(_INVOCATIONS):
            handler(event, CONTEXT)
        seconds.append((time.monotonic() - started) / _INVOCATIONS)
    share = (family_seconds(server) - before) / (time.monotonic() - began)
    print(json.dumps([*seconds, share]))


def _event(days: int) -> dict[str, Any]:
    return {**EVENT, "rawQueryString": f"from={END - timedelta(days=days - 1)}&to={END}"}


if __name__ == "__main__":
    main()
