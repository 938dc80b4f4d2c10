"""Compare the API with the textbook peer under load: ``python -m benchmarks.api.run`` (``make bench-api``).

Database, servers and load generator share one machine. All servers run from the start on the same data and take
turns. Before that their answers are compared for every customer; the benchmark stops if they differ, or if any
request fails. The figures go into docs/performance-api.md, and a chart beside it.
"""

import argparse
import sys
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

import httpx
import psutil

from benchmarks.api import load
from benchmarks.api.servers import CACHED, TEXTBOOK, UNCACHED, Server, prepared, running
from benchmarks.figures import MACHINE, bars, renew, table

PAGE = Path("docs/performance-api.md")
CHART = Path("docs/performance-api.svg")
TARGET = "/customers/cust_1/stats?from=2024-09-03"
CUSTOMERS = 50
HEADER = (
    "wrk",
    "answers/s",
    "times the textbook",
    "p50 ms",
    "p99 ms",
    "worst run's p99 ms",
    "CPU µs per answer",
)


@dataclass(slots=True)
class Case:
    """One way to ask one server, what it is compared with, and what its runs have measured."""

    name: str
    server: Server
    peer: "Case | None" = None
    customers: int = 1
    headers: Sequence[str] = ()
    runs: list[dict[str, float]] = field(default_factory=list)

    def run(self, users: int, seconds: int) -> None:
        before = self.server.cpu_seconds()
        run = load.wrk(self.server.url(TARGET), users, seconds, self.customers, self.headers)
        if run["failures"]:
            raise SystemExit(f"{self.name}: {run['failures']} requests failed")
        self.runs.append(run | {"cpu": (self.server.cpu_seconds() - before) / run["answers"] * 1e6})
        print(f"{self.name}: {run['per_second']:,.0f}/s", file=sys.stderr, flush=True)

    def median(self, name: str) -> float:
        return median(run[name] for run in self.runs)

    def row(self) -> tuple[str, ...]:
        rate, times = self.median("per_second"), (self.peer or self).median("per_second")
        latencies = self.median("p50_ms"), self.median("p99_ms"), max(run["p99_ms"] for run in self.runs)
        cpu = f"{self.median('cpu'):.0f}"
        return self.name, f"{rate:,.0f}", f"{rate / times:.1f}", *(f"{each:.2f}" for each in latencies), cpu


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--runs", type=int, default=5, help="turns of each contender (default: 5)")
    parser.add_argument("--seconds", type=int, default=10, help="length of each run (default: 10)")
    parser.add_argument("--users", type=int, default=25, help="connections, always busy (default: 25)")
    parser.add_argument("--dry", action="store_true", help="print the table; leave the page as it is")
    options = parser.parse_args()
    load.require(["wrk"])
    busy = psutil.cpu_percent(1) / 100
    with prepared() as url, ExitStack() as stack:
        peer, uncached, cached = (
            stack.enter_context(running(contender, url)) for contender in (TEXTBOOK, UNCACHED, CACHED)
        )
        _compare(peer, uncached, cached)
        etag = httpx.get(cached.url(TARGET)).headers["etag"]
        one, many = Case("textbook", peer), Case("textbook, 50 customers", peer, None, CUSTOMERS)
        cases = [
            one,
            Case("logstats, cache off", uncached, one),
            Case("logstats", cached, one),
            Case("logstats, 304", cached, one, headers=[f"If-None-Match: {etag}"]),
            many,
            Case("logstats, cache off, 50 customers", uncached, many, CUSTOMERS),
            Case("logstats, 50 customers", cached, many, CUSTOMERS),
        ]
        for case in cases:
            case.run(options.users, 2)  # only warms up
            case.runs.clear()
        for _ in range(options.runs):
            for case in cases:
                case.run(options.users, options.seconds)
    machine = (
        f"{MACHINE}; {options.runs} runs of {options.seconds} s, {options.users} users; "
        f"other processes used {busy:.0%} of the machine just before"
    )
    page = f"Machine: {machine}. Medians of the runs.\n\n{table(HEADER, *(case.row() for case in cases))}"
    print(page)
    if not options.dry:
        renew(PAGE, page)
        rates = {case.name: case.median("per_second") for case in cases}
        CHART.write_text(bars("Answers per second, more is better", rates), "utf-8")


def _compare(*servers: Server) -> None:
    """All must give the same answer for every customer."""
    for customer in range(1, CUSTOMERS + 1):
        path = TARGET.replace("cust_1", f"cust_{customer}")
        first, *others = (httpx.get(server.url(path)).raise_for_status().json() for server in servers)
        if not first or any(other != first for other in others):
            raise SystemExit(f"the answers for cust_{customer} differ")


if __name__ == "__main__":
    main()
