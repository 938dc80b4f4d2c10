"""Compare the API with the textbook peer under load: ``python -m benchmarks.api.run`` (``make bench-api``).

Database, servers and load generators share one machine. All servers run from the start on the same data and take
turns. Before that their answers are compared for every customer; the benchmark stops if they differ, or if any
request fails.
"""

import argparse
import os
import platform
import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import psutil

from benchmarks.api import fixture, load, report
from benchmarks.api.report import Case
from benchmarks.api.servers import CACHED, TEXTBOOK, UNCACHED, Server, running

TARGET = "/customers/cust_1/stats?from=2024-09-03"
CUSTOMERS = [f"cust_{number}" for number in range(1, 51)]
ROTATION = ("--script", str(Path(__file__).with_name("customers.lua")))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--runs", type=int, default=5, help="turns of each contender (default: 5)")
    parser.add_argument("--seconds", type=int, default=10, help="length of each run (default: 10)")
    parser.add_argument("--users", type=int, default=25, help="connections, always busy (default: 25)")
    parser.add_argument("--dry", action="store_true", help="print the table; leave the page as it is")
    options = parser.parse_args()
    load.require(["wrk", "siege"])
    busy = psutil.cpu_percent(1) / 100
    with fixture.prepared() as url, ExitStack() as stack:
        peer, uncached, cached = (
            stack.enter_context(running(contender, url)) for contender in (TEXTBOOK, UNCACHED, CACHED)
        )
        _compare(peer, uncached, cached)
        cases = [
            Case("textbook", peer),
            Case("logstats, cache off", uncached),
            Case("logstats", cached),
            Case("logstats, 304", cached, ("--header", f"If-None-Match: {_etag(cached)}")),
            Case("textbook, 50 customers", peer, ROTATION),
            Case("logstats, cache off, 50 customers", uncached, ROTATION),
            Case("logstats, 50 customers", cached, ROTATION),
        ]
        for number in range(options.runs + 1):
            for case in cases:
                _run(case, options.users, options.seconds if number else 2)  # the first only warms up
                if not number:
                    case.wrk.clear()
                    case.cpu_us.clear()
        for case in cases[:3]:
            for _ in range(options.runs):
                case.siege.append(load.siege(case.server.url(TARGET), options.users, options.seconds))
    machine = (
        f"{os.cpu_count()} cores ({platform.machine()}), {platform.system()}, CPython {platform.python_version()}; "
        f"{options.runs} runs of {options.seconds} s, {options.users} users; "
        f"other processes used {busy:.0%} of the machine just before"
    )
    page = report.figures(cases, machine)
    print(page)
    if not options.dry:
        report.write(page, cases)


def _compare(*servers: Server) -> None:
    """All must give the same answer for every customer."""
    for customer in CUSTOMERS:
        path = TARGET.replace("cust_1", customer)
        first, *others = (httpx.get(server.url(path)).raise_for_status().json() for server in servers)
        if not first or any(other != first for other in others):
            raise SystemExit(f"the answers for {customer} differ")


def _etag(server: Server) -> str:
    return httpx.get(server.url(TARGET)).headers["etag"]


def _run(case: Case, users: int, seconds: int) -> None:
    before = case.server.cpu_seconds()
    measured = load.wrk(case.server.url(TARGET), users, seconds, *case.options)
    if measured.failures:
        raise SystemExit(f"{case.name}: {measured.failures} requests failed")
    case.wrk.append(measured)
    case.cpu_us.append((case.server.cpu_seconds() - before) / measured.answers * 1e6)
    print(
        f"{case.name}: {measured.per_second:,.0f}/s, p99 {measured.p99_ms:.1f} ms",
        file=sys.stderr,
        flush=True,
    )


if __name__ == "__main__":
    main()
