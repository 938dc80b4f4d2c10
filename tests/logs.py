"""Small random logs."""

import random
from datetime import date, timedelta

STATUSES = (200, 201, 302, 400, 404, 499, 500, 503, 599, 100)


def random_lines(
    seed: int, count: int, customers: int = 5, days: int = 4, first: date = date(2024, 9, 4)
) -> list[str]:
    """Valid lines in random order, durations in whole milliseconds."""
    rng = random.Random(seed)
    return [
        f"{first + timedelta(rng.randrange(days))} "
        f"{rng.randrange(24):02}:{rng.randrange(60):02}:{rng.randrange(60):02} "
        f"cust_{rng.randrange(customers) + 1} /api/v1/resource{rng.randrange(4) + 1} "
        f"{rng.choice(STATUSES)} {rng.randrange(8000) / 1000:.3f}"
        for _ in range(count)
    ]


def as_bytes(lines: list[str]) -> bytes:
    """The lines as a file."""
    return "".join(f"{line}\n" for line in lines).encode()
