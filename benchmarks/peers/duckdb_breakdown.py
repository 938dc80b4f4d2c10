"""DuckDB: the native log by customer and day, and these by half-hour, by route and by status; a route is a path that was found."""

from collections.abc import Callable
from pathlib import Path

import duckdb

from benchmarks.peers import Cells
from benchmarks.peers.duckdb_query import TIMED

_READ = f"""CREATE TEMP TABLE requests AS SELECT c2 AS customer, c0 AS day, c4 AS status, c5 AS duration,
    hour(c1) * 2 + minute(c1) // 30 AS slot, CASE WHEN c4 = 404 THEN '(not found)' ELSE c3 END AS route FROM {TIMED}"""
_COUNTS = """count(*), count(*) FILTER (status // 100 = 4), count(*) FILTER (status // 100 = 5), sum(duration), max(duration),
    quantile_disc(duration, [0.5, 0.9, 0.95, 0.99])"""


def aggregate(path: Path, threads: int) -> Callable[[], Cells]:
    """Parse once into a table in memory, which is faster than grouping sets; return how to get the rows in a common form."""
    with duckdb.connect(config={"threads": threads}) as connection:
        connection.execute(_READ, [str(path)])
        found = {
            kind: connection.execute(
                f"SELECT customer, day::VARCHAR, {key}, {counts} FROM requests GROUP BY customer, day, {key}"
            ).fetchall()
            for kind, key, counts in (
                ("day", "'0'", _COUNTS),
                ("slot", "slot", _COUNTS),
                ("route", "route", _COUNTS),
                ("status", "status", "count(*)"),
            )
        }
    return lambda: [
        (
            row[0],
            row[1],
            kind,
            str(row[2]),
            row[3],
            *(() if kind == "status" else (*row[4:6], int(row[6] * 1_000_000))),
        )
        for kind, rows in found.items()
        for row in rows
    ]
