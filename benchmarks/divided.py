"""Measure what is asked of the inside of days: ``python -m benchmarks.divided`` (part of ``make bench-fleet``).

Rewrites the figures of "Inside days" in docs/performance-fleet.md. The app answers in this process, as in `benchmarks.fleet`.
"""

import argparse
import asyncio
import random
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg

from benchmarks import database
from benchmarks.figures import renew, table
from benchmarks.fleet import PAGE, client, milliseconds
from logstats import rows
from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from processor.ingest import Ingestor
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore

DAYS, ROUTES, CUSTOMERS_OF_LOG = 30, 20, 4
MONTH = "from=2024-09-01&to=2024-09-30"


def lines(a_day: int) -> Iterator[str]:
    """Return a log of a month, of a few customers with so many requests a day."""
    rng = random.Random(1)
    for day in range(1, DAYS + 1):
        for number in range(CUSTOMERS_OF_LOG * a_day):
            time_of_day = f"{rng.randrange(24):02}:{rng.randrange(60):02}:00"
            status, us = rng.choice((200, 200, 200, 404, 500)), round(rng.lognormvariate(0, 0.7) * 100_000)
            path = f"/v1/r{rng.randrange(ROUTES)}x"
            yield f"2024-09-{day:02} {time_of_day} cust_{number % CUSTOMERS_OF_LOG} {path} {status} {us / 1e6:.6f}\n"


def fill(settings: DatabaseSettings, url: str, folder: Path, a_day: int, customers: int) -> str:
    """Ingest the log, and copy one of its customers; return how large a breakdown is."""
    log = folder / "api.log"
    log.write_text("".join(lines(a_day)))
    engine = create_engine(settings)
    Ingestor(engine, LocalRejectStore(folder / "rejected"), workers=1).ingest_file(LocalFile.at(log))
    engine.dispose()
    with psycopg.connect(url, autocommit=True) as connection:
        others = ", ".join(["date", *rows.COLUMNS])
        connection.execute(
            f"INSERT INTO daily_statistics (customer_id, {others}) SELECT 'copy_' || number, {others} "
            f"FROM daily_statistics, generate_series(1, {customers}) AS number WHERE customer_id = 'cust_0'".encode()
        )
        connection.execute("VACUUM ANALYZE")
        found = connection.execute("SELECT round(avg(length(breakdown))) FROM daily_statistics").fetchone()
    return f"{found[0] if found else 0:,}"


async def ask(settings: DatabaseSettings, postmaster: psutil.Process, runs: int) -> str:
    """Return the figures."""
    questions = (
        (
            "30 days by the hour, one customer",
            f"/customers/cust_0/stats?{MONTH}&interval=hour&tz=Europe/Berlin",
        ),
        ("30 days by route, one customer", f"/customers/cust_0/routes?{MONTH}"),
        ("30 days by route, all", f"/routes?{MONTH}"),
        ("30 days by status code, all", f"/statuses?{MONTH}"),
        ("30 days of one route, by customer", f"/routes/customers?{MONTH}&route=/v1/r1x"),
    )
    async with client(settings, 0) as http:
        taken = [(name, *await milliseconds(http, target, runs, postmaster)) for name, target in questions]
    return table(("ms", "measured", "CPU time"), *taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument("--customers", type=int, default=10_000)
    parser.add_argument("--requests", type=int, default=100, help="of a customer's day")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--dry", action="store_true", help="print the figures; leave the page as it is")
    options = parser.parse_args()
    busy = psutil.cpu_percent(1) / 100
    with database.running() as (server, folder):
        size = fill(server.settings(), server.url(), folder, options.requests, options.customers)
        postmaster = psutil.Process(server.server.get_postmaster_info().pid)
        figures = asyncio.run(ask(server.settings(), postmaster, options.runs))
    figures = (
        f"{options.customers:,} customers with {options.requests} requests a day to {ROUTES} routes, of which a breakdown has {size} bytes. "
        f"Other processes used {busy:.0%} of the machine just before; medians of {options.runs}.\n\n{figures}"
    )
    print(figures, file=sys.stderr)
    if not options.dry:
        renew(PAGE, figures, "divided")


if __name__ == "__main__":
    main()
