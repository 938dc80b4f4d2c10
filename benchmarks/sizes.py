"""Measure how many bytes a breakdown takes, and rewrite the table of docs/scaling.md: ``python -m benchmarks.sizes``."""

import random
from collections.abc import Iterator
from pathlib import Path

from benchmarks.figures import renew, table
from logstats.native import EVERYTHING, Aggregator, Kept
from logstats.native.breakdown import ROUTES, SLOTS, STATUSES

PAGE = Path("docs/scaling.md")
CASES = (
    ("a day", 86_400, 100, 20),
    ("a day", 86_400, 10_000, 50),
    ("a day", 86_400, 10_000, 200),
    ("a day", 86_400, 1_000_000, 50),
    ("a day", 86_400, 1_000_000, 200),
    ("an hour: 1 GB a day, 24 objects of 50 customers", 3_600, 14_000, 50),
    ("11 seconds: 1 TB a day, 8,000 objects of 50 customers", 11, 42_000, 50),
)
"""Names a customer's share of a log object: its seconds, requests and routes."""
STATUS_CODES = [200] * 85 + [201] * 5 + [404] * 4 + [400] * 3 + [429] * 2 + [500]


def lines(seconds: int, requests: int, routes: int) -> Iterator[bytes]:
    """Yield requests of one customer, at any time; durations are log-normal whole milliseconds, with a median of 0.12 s."""
    choose = random.Random(7)
    for _ in range(requests):
        second = choose.randrange(seconds)
        clock = f"{second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}"
        route, status = choose.randrange(routes), choose.choice(STATUS_CODES)
        ms = min(int(choose.lognormvariate(4.8, 1)), 99_999)
        yield f"2024-09-03 {clock} cust_1 /api/v1/resource{route} {status} {ms / 1000:.3f}\n".encode()


def sizes(log: bytes) -> list[int]:
    """Return the bytes of the slots, the routes, the statuses, all together, and the histogram."""
    found, histogram = [], b""
    for kept in (*map(Kept, (SLOTS, ROUTES, STATUSES)), EVERYTHING):
        aggregator = Aggregator(kept=kept)
        aggregator.feed(log)
        [(*_, histogram, breakdown)] = aggregator.drain()
        found.append(len(breakdown))
    return [*found, len(histogram)]


def main() -> None:
    rows: list[tuple[str, ...]] = [
        (
            "what an object has of a customer",
            "requests",
            "routes",
            "`slots`",
            "`routes`",
            "`statuses`",
            "all",
            "histogram",
        )
    ]
    for name, seconds, requests, routes in CASES:
        found = sizes(b"".join(lines(seconds, requests, routes)))
        rows.append((name, f"{requests:,}", f"{routes}", *(f"{size:,}" for size in found)))
    renew(PAGE, table(*rows), "sizes")
    print(table(*rows))


if __name__ == "__main__":
    main()
