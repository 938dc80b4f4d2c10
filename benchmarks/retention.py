"""Removing a day: by customer, as `logstats expire` does, or by an index on the date; and what such an index costs.

``python -m benchmarks.retention [--customers 1000] [--days 50] [--objects 40]``: each object has requests of every
customer on one day. Both ways remove the oldest day of the same table, in turn, with a checkpoint before each.
"""

import argparse
import datetime as dt
import statistics
import tempfile
import time
from pathlib import Path

import sqlalchemy as sa

from local import postgres
from logstats.database import create_engine
from migrate import schema
from processor.retention import expiry

FIRST = dt.date(2024, 1, 1)
_SUMMARY = (
    "total_requests, client_errors, server_errors, duration_sum_us, duration_min_us, duration_max_us, histogram,"
    " duration_p50_us, duration_p90_us, duration_p95_us, duration_p99_us"
)
_HISTOGRAM_BYTES = 400
_VALUES = f"10, 1, 1, 1000000, 1000, 500000, decode(repeat('00', {_HISTOGRAM_BYTES}), 'hex'), 1, 1, 1, 1"


def fill(connection: sa.Connection, customers: int, days: int, objects: int) -> None:
    """Contributions in the order in which they come: day by day, object by object."""
    connection.execute(
        sa.text(
            "INSERT INTO attempts (bucket, key, started_at, committed)"
            " SELECT 'b', n::text, now(), true FROM generate_series(1, :n) n"
        ),
        {"n": days * objects},
    )
    connection.execute(
        sa.text(
            "INSERT INTO log_objects (bucket, key, confirmed_current, attempt_id, lines, accepted, rejected,"
            " rejected_by_reason, customer_days) SELECT bucket, key, false, id, 0, 0, 0, '{}', 0 FROM attempts"
        )
    )
    for day in range(days):
        connection.execute(
            sa.text(
                f"INSERT INTO contributions (attempt_id, customer_id, date, part, {_SUMMARY})"
                f" SELECT a, 'customer-' || c, :date, 0, {_VALUES}"
                " FROM generate_series(CAST(:first AS bigint), :last) a, generate_series(1, :customers) c"
            ),
            {
                "date": FIRST + dt.timedelta(day),
                "first": day * objects + 1,
                "last": (day + 1) * objects,
                "customers": customers,
            },
        )
    connection.execute(
        sa.text(
            f"INSERT INTO daily_statistics (customer_id, date, {_SUMMARY}) SELECT customer_id, date, {_VALUES}"
            " FROM contributions GROUP BY customer_id, date"
        )
    )
    connection.execute(
        sa.text(
            "INSERT INTO customers SELECT customer_id, nextval('revisions'), min(date), max(date), 10 * count(*)"
            " FROM daily_statistics GROUP BY customer_id"
        )
    )


def by_customer(engine: sa.Engine, horizon: dt.date) -> float:
    started = time.perf_counter()
    expiry.expire(engine, horizon)
    return time.perf_counter() - started


def by_date(engine: sa.Engine, horizon: dt.date) -> float:
    """One statement for each table; what `expire` does besides (customers, locks, batches) is left out."""
    started = time.perf_counter()
    with engine.begin() as connection:
        for table in ("contributions", "daily_statistics"):
            connection.execute(sa.text(f"DELETE FROM {table} WHERE date < :horizon"), {"horizon": horizon})
    seconds = time.perf_counter() - started
    with engine.begin() as connection:
        update = "UPDATE customers SET first_date = :horizon, total_requests = total_requests - 10"
        connection.execute(sa.text(update), {"horizon": horizon})
    return seconds


def staging(engine: sa.Engine, customers: int, rows: int = 100_000) -> float:
    """Seconds to insert so many contributions of one attempt, which are then taken back."""
    with engine.connect() as connection:
        started = time.perf_counter()
        connection.execute(
            sa.text(
                f"INSERT INTO contributions (attempt_id, customer_id, date, part, {_SUMMARY})"
                f" SELECT 0, 'customer-' || n % :customers, '2024-06-01', n, {_VALUES}"
                " FROM generate_series(1, :rows) n"
            ),
            {"customers": customers, "rows": rows},
        )
        seconds = time.perf_counter() - started
        connection.rollback()
    return seconds


def stage_several_times(engine: sa.Engine, customers: int) -> float:
    """The median; the first ones make room in the files, and do not count."""
    return statistics.median([staging(engine, customers) for _ in range(8)][3:])


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retention", description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000)
    parser.add_argument("--days", type=int, default=50)
    parser.add_argument("--objects", type=int, default=40, help="of each day")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        server = postgres.start(Path(folder) / "data", "max_wal_size = '8GB'\n")
        try:
            server.create_database("logstats")
            measure(create_engine(server.settings()), options)
        finally:
            server.stop()


def measure(engine: sa.Engine, options: argparse.Namespace) -> None:
    schema.upgrade(engine)
    with engine.begin() as connection:
        fill(connection, options.customers, options.days, options.objects)
    maintain = engine.execution_options(isolation_level="AUTOCOMMIT")

    def run(statement: str) -> None:
        with maintain.connect() as connection:
            connection.execute(sa.text(statement))

    run("VACUUM ANALYZE")
    rows = options.customers * options.days * options.objects
    per_day = rows // options.days
    print(f"{rows:,} contributions, {per_day:,} of a day")
    plain = stage_several_times(engine, options.customers)
    ours: list[float] = []
    theirs: list[float] = []
    days = iter(range(1, options.days))
    for _ in range(3):
        run("CHECKPOINT")
        ours.append(by_customer(engine, FIRST + dt.timedelta(next(days))))
    run("CREATE INDEX contributions_by_date ON contributions (date)")
    run("CREATE INDEX daily_statistics_by_date ON daily_statistics (date)")
    with engine.connect() as connection:
        size = connection.scalar(sa.text("SELECT pg_relation_size('contributions_by_date')")) or 0
    indexed = stage_several_times(engine, options.customers)
    for _ in range(3):
        run("CHECKPOINT")
        theirs.append(by_date(engine, FIRST + dt.timedelta(next(days))))
    one, other = statistics.median(ours), statistics.median(theirs)
    print(f"by customer: {one:.2f} s a day, {per_day / one:,.0f} rows/s")
    print(
        f"by an index on the date: {other:.2f} s, {per_day / other:,.0f} rows/s; {one / other:.2f} of it is ours"
    )
    print(f"the index: {size / 1e6:,.0f} MB; inserting takes {indexed / plain:.2f} times as long")


if __name__ == "__main__":
    main()
