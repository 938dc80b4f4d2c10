"""Polars: a lazy query, on its streaming engine."""

import os
from pathlib import Path

from benchmarks.peers import Row


def aggregate(path: Path, threads: int) -> list[Row]:
    """Durations are doubles; nearest-rank percentiles are picked from each group's sorted durations."""
    os.environ["POLARS_MAX_THREADS"] = str(threads)  # read when Polars is imported
    import polars as pl  # noqa: PLC0415 - only this peer needs it

    schema = {
        "day": pl.Date,
        "time": pl.String,
        "customer": pl.String,
        "path": pl.String,
        "status": pl.Int16,
        "duration": pl.Float64,
    }
    lines = pl.scan_csv(path, separator=" ", has_header=False, quote_char=None, schema=schema)
    durations = pl.col("duration").sort()
    nearest = [
        durations.get((pl.len() * percent + 99) // 100 - 1).alias(f"p{percent}")
        for percent in (50, 90, 95, 99)
    ]
    status = pl.col("status") // 100
    daily = lines.group_by("customer", "day").agg(
        pl.len().alias("requests"),
        (status == 4).sum().alias("client_errors"),
        (status == 5).sum().alias("server_errors"),
        pl.col("duration").sum().alias("sum"),
        *nearest,
        pl.col("duration").max().alias("max"),
    )
    micros = ["sum", "p50", "p90", "p95", "p99", "max"]
    rows = daily.with_columns(pl.col("day").cast(pl.String), (pl.col(micros) * 1e6).round().cast(pl.Int64))
    found: list[Row] = rows.collect(engine="streaming").rows()
    return found
