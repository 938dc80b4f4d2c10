"""Compare breakdowns with DuckDB's groupings, and renew docs/performance.md: ``python -m benchmarks.broken_down``."""

import argparse
import datetime as dt
import random
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import renew
from benchmarks.run import FOLDER, PAGE, compare, kept, machine, section
from benchmarks.sizes import STATUS_CODES

CONTENDERS = (("ours_breakdown", 2), ("duckdb_breakdown", 2))
PATHS = [
    f"/api/v1/{kind}/resource{number}"
    for number in range(40)
    for kind in ("orders", "customers", "invoices", "reports", "exports")
]
_DAYS, _CUSTOMERS, _BLOCK = 30, 50, 8_192


def blocks(lines: int, *, in_order: bool) -> Iterator[bytes]:
    """Yield requests of 30 days, 50 customers and 200 routes, in the order of time or in none."""
    choose, draw = random.Random(6), random.Random(5).random
    dates = [str(dt.date(2024, 9, 4) + dt.timedelta(days=day)) for day in range(_DAYS)]
    times = [f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}" for second in range(86_400)]
    durations = [f"{min(int(choose.lognormvariate(4.8, 1)), 99_999) / 1000:.3f}" for _ in range(100_003)]
    for start in range(0, lines, _BLOCK):
        block = []
        for number in range(start, min(start + _BLOCK, lines)):
            at = number * _DAYS * 86_400 // lines if in_order else int(draw() * _DAYS * 86_400)
            block.append(
                f"{dates[at // 86_400]} {times[at % 86_400]} cust_{1 + int(draw() * _CUSTOMERS)}"
                f" {PATHS[int(draw() * len(PATHS))]} {STATUS_CODES[int(draw() * 100)]} {durations[int(draw() * 100_003)]}\n"
            )
        yield "".join(block).encode()


def log(lines: int, *, in_order: bool) -> Path:
    """Generate a log, once."""
    name = f"{lines}-{'ordered' if in_order else 'random'}.log"
    return kept(FOLDER / name, lambda: blocks(lines, in_order=in_order))


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(",")[0])
    parser.add_argument("--lines", type=int, nargs="+", default=[10_000_000])
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    sections = [
        section(
            f"Broken down, {order}", lines, compare(CONTENDERS, log(lines, in_order=in_order), options.runs)
        )
        for lines in options.lines
        for order, in_order in (("in the order of time", True), ("in random order", False))
    ]
    page = "\n\n".join((machine(), *sections))
    renew(PAGE, page, "broken down")
    print(page)


if __name__ == "__main__":
    main()
