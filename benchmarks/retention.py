"""How fast days are removed, as `logstats expire` does it.

``python -m benchmarks.retention [--customers 1000] [--days 20] [--objects 50]``: each object has requests of every
customer on one day. The oldest day is removed, three times in turn, with a checkpoint before each.
"""

import argparse
import datetime as dt
import statistics
import time

import sqlalchemy as sa

from benchmarks import database
from logstats.database import create_engine
from processor.retention import expiry

FIRST = dt.date(2024, 1, 1)
_SUMMARY = (
    "total_requests, client_errors, server_errors, duration_sum_us, duration_min_us, duration_max_us, histogram,"
    " duration_p50_us, duration_p90_us, duration_p95_us, duration_p99_us"
)
_VALUES = "10, 1, 1, 1000000, 1000, 500000, decode(repeat('00', 400), 'hex'), 1, 1, 1, 1"
_FILL = f"""
INSERT INTO attempts (bucket, key, started_at, committed)
    SELECT 'b', n::text, now(), true FROM generate_series(1, :days * :objects) n;
INSERT INTO log_objects (bucket, key, confirmed_current, attempt_id, lines, accepted, rejected, rejected_by_reason, customer_days)
    SELECT bucket, key, false, id, 0, 0, 0, '{{}}', 0 FROM attempts;
INSERT INTO contributions (attempt_id, customer_id, date, part, {_SUMMARY})
    SELECT d * :objects + a, 'customer-' || c, CAST(:first AS date) + d, 0, {_VALUES}
    FROM generate_series(0, :days - 1) d, generate_series(1, :objects) a, generate_series(1, :customers) c;
INSERT INTO daily_statistics (customer_id, date, {_SUMMARY})
    SELECT customer_id, date, {_VALUES} FROM contributions GROUP BY customer_id, date;
INSERT INTO customers
    SELECT customer_id, nextval('revisions'), min(date), max(date), 10 * count(*) FROM daily_statistics GROUP BY customer_id
"""


def measure(engine: sa.Engine, customers: int, days: int, objects: int) -> float:
    """Return the median seconds of a day's removal."""
    sizes = {"customers": customers, "days": days, "objects": objects, "first": FIRST}
    with engine.begin() as connection:
        for statement in _FILL.split(";"):
            text = sa.text(statement)
            connection.execute(text, {name: sizes[name] for name in text.compile().params})
    taken = []
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE"))
        for day in (1, 2, 3):
            connection.execute(sa.text("CHECKPOINT"))
            started = time.perf_counter()
            expiry.expire(engine, FIRST + dt.timedelta(day))
            taken.append(time.perf_counter() - started)
        left = connection.scalar(sa.text("SELECT count(*) FROM contributions"))
    assert left == (days - 3) * customers * objects
    return statistics.median(taken)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.retention", description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000)
    parser.add_argument("--days", type=int, default=20)
    parser.add_argument("--objects", type=int, default=50, help="of each day")
    options = parser.parse_args()
    with database.running("max_wal_size = '8GB'\n") as (server, _):
        engine = create_engine(server.settings())
        seconds = measure(engine, options.customers, options.days, options.objects)
        engine.dispose()
    rows = options.customers * options.objects
    print(f"{rows:,} contributions of a day: {seconds:.2f} s, {rows / seconds:,.0f} a second")


if __name__ == "__main__":
    main()
