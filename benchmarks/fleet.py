"""Measure what is asked of all customers: ``python -m benchmarks.fleet`` (``make bench-fleet``).

Rewrites the figures of docs/performance-fleet.md. The app answers in this process, without a server; PostgreSQL, with its
default settings, shares the machine. The days are made in SQL of 2 000 summaries of 330 requests each in the median. One module,
though long: what is asked, the data that it is asked of, and the table are of no use alone.
"""

import argparse
import asyncio
import datetime as dt
import random
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import median

import httpx
import psutil
import psycopg

from api.app import create_app
from api.settings import ApiSettings
from benchmarks import database
from benchmarks.figures import MACHINE, renew, table
from local.postgres import EmbeddedPostgres
from logstats import rows
from logstats.domain.histogram import LatencyHistogram
from logstats.domain.summary import DailySummary
from logstats.settings import DatabaseSettings

PAGE = Path("docs/performance-fleet.md")
LAST = dt.date(2024, 10, 3)
_POOL = 2_000
_COLUMNS = ", ".join(rows.COLUMNS)
_FILL = f"""
INSERT INTO daily_statistics (customer_id, date, {_COLUMNS})
SELECT 'customer_' || lpad(number::text, 7, '0'), %(date)s, {_COLUMNS}
FROM generate_series(1, %(customers)s) AS number JOIN pool ON pool.id = abs(hashint8(number * 1000 + %(day)s)) %% {_POOL}
ORDER BY number
"""
_CUSTOMERS = """
INSERT INTO customers SELECT customer_id, nextval('revisions'), min(date), max(date), sum(total_requests)
FROM daily_statistics GROUP BY customer_id
"""


def pool(seed: int) -> list[rows.Row]:
    """Return summaries of log-normal numbers of requests with log-normal durations in whole milliseconds."""
    rng = random.Random(seed)
    made = []
    for _ in range(_POOL):
        count, scale = max(1, round(rng.lognormvariate(0, 0.6) * 330)), rng.uniform(20, 300)
        durations = [round(rng.lognormvariate(0, 0.7) * scale) * 1_000 for _ in range(count)]
        client, server = (sum(rng.random() < share for _ in range(count)) for share in (0.03, 0.005))
        histogram = LatencyHistogram.of(durations)
        summary = DailySummary(
            *(count, client, min(server, count - client), 0, sum(durations), min(durations), max(durations)),
            histogram,
        )
        made.append(rows.from_summary(summary))
    return made


def fill(url: str, customers: int, days: int) -> None:
    """Store the days of customers, each after the other, as they are ingested."""
    with psycopg.connect(url) as connection:
        connection.execute(
            f"CREATE TEMP TABLE pool AS SELECT 0 AS id, {_COLUMNS} FROM daily_statistics".encode()
        )
        slots = ", ".join(["%s"] * (1 + len(rows.COLUMNS)))
        insertion = f"INSERT INTO pool VALUES ({slots})".encode()
        connection.cursor().executemany(insertion, [(number, *row) for number, row in enumerate(pool(1))])
        for day in range(days):
            date = LAST - dt.timedelta(days - 1 - day)
            connection.execute("SELECT make_partitions(ARRAY[%s])", [date])
            connection.execute(_FILL.encode(), {"date": date, "customers": customers, "day": day})
        connection.execute(_CUSTOMERS)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


@asynccontextmanager
async def client(settings: DatabaseSettings, cache_bytes: int) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(settings, ApiSettings(auth="none", answer_seconds=25, cache_bytes=cache_bytes))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://here", timeout=60) as made,
    ):
        yield made


def cpu_seconds(postmaster: psutil.Process) -> float:
    """Return the CPU time of this process, of PostgreSQL's processes, and of those that have ended."""
    times = postmaster.cpu_times()
    seconds = time.process_time() + times.children_user + times.children_system
    for backend in postmaster.children():
        with suppress(psutil.NoSuchProcess):
            seconds += sum(backend.cpu_times()[:2])
    return seconds


async def milliseconds(
    http: httpx.AsyncClient, target: str, runs: int, postmaster: psutil.Process
) -> tuple[str, str]:
    """Return the median of some answers after a first one, and their CPU time; or the status if it is refused."""
    status = (await http.get(target)).status_code
    if status != 200:
        return f"{status}", ""
    taken, before = [], cpu_seconds(postmaster)
    for _ in range(runs):
        started = time.perf_counter()
        await http.get(target)
        taken.append((time.perf_counter() - started) * 1_000)
    return f"{median(taken):,.0f}", f"{(cpu_seconds(postmaster) - before) / runs * 1_000:,.0f}"


def cases(days: int) -> list[tuple[str, str, str]]:
    """Return questions, what is asked for, and the goal in milliseconds."""
    month, day = f"from={LAST - dt.timedelta(days - 1)}", f"from={LAST}"
    return [
        ("overview of a day", f"/overview?{day}", "100"),
        ("overview of 30 days, counts", f"/overview?{month}&percentiles=false", "300"),
        ("overview of 30 days, percentiles", f"/overview?{month}", "2,000"),
        ("a day by 5xx", f"/customers?{day}", ""),
        ("30 days by 5xx", f"/customers?{month}", "400"),
        ("30 days by 5xx, 50 rows with their days", f"/customers?{month}&limit=50&days=30", ""),
        ("30 days by the change of requests", f"/customers?{month}&sort=-change_requests", "400"),
        ("30 days by uptime", f"/customers?{month}&sort=uptime_percentage", "400"),
        ("30 days by p99", f"/customers?{month}&sort=-duration_p99", "2,000"),
        ("30 days by the change of p99", f"/customers?{month}&sort=-change_p99", ""),
    ]


async def ask(
    server: EmbeddedPostgres, questions: Sequence[tuple[str, str, str]], runs: int
) -> list[Sequence[str]]:
    """Return a row for each question: how long an answer takes anew, and when it is cached."""
    postmaster = psutil.Process(server.server.get_postmaster_info().pid)
    found: list[Sequence[str]] = []
    for name, target, goal in questions:
        taken = []
        for cache_bytes in (0, 64 << 20):
            async with client(server.settings(), cache_bytes) as http:
                taken.append(await milliseconds(http, target, runs, postmaster))
        print(name, *taken, file=sys.stderr, flush=True)
        (anew, cpu), (cached, _) = taken
        found.append((name, anew, goal, cpu, cached))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument(
        "--many", type=int, default=1_000_000, help="customers of the second table, which has two days"
    )
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="print the figures; leave the page as it is")
    options = parser.parse_args()
    busy = psutil.cpu_percent(1) / 100
    with database.running() as (server, _):
        fill(server.url(), options.customers, options.days)
        days = min(30, options.days)
        few = asyncio.run(ask(server, cases(days), options.runs))
    with database.running() as (server, _):
        fill(server.url(), options.many, 2)
        day = f"/customers?from={LAST}"
        questions = [
            ("a day by 5xx", day, "2,000"),
            ("a day by p99", f"{day}&sort=-duration_p99", ""),
            ("a day by the change of requests", f"{day}&sort=-change_requests", ""),
            ("two days by p99", f"/customers?from={LAST - dt.timedelta(1)}&sort=-duration_p99", "422"),
            ("overview of a day, counts", f"/overview?from={LAST}&percentiles=false", ""),
        ]
        many = asyncio.run(ask(server, questions, options.runs))
    header = ("ms", "measured", "goal", "CPU time", "cached")
    figures = "\n\n".join(
        (
            f"Machine: {MACHINE}; other processes used {busy:.0%} of it just before. Medians of {options.runs}.",
            f"{options.customers:,} customers, {options.days} days:",
            table(header, *few),
            f"{options.many:,} customers, two days:",
            table(header, *many),
        )
    )
    print(figures)
    if not options.dry:
        renew(PAGE, figures)


if __name__ == "__main__":
    main()
