"""Request logs to try things with: random, and the same bytes for the same arguments everywhere.

Only `random.Random(seed).random()` is drawn from, the one method whose sequence Python promises to keep
(https://docs.python.org/3/library/random.html#notes-on-reproducibility).
"""

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass

from logstats.domain.line import MAX_YEAR, MIN_YEAR

PATHS = tuple(f"/api/v1/resource{number}" for number in range(1, 5))
STATUS_CODES = (200, 201, 400, 401, 403, 404, 500)
DURATIONS_MS = range(100, 2001)

_BLOCK_LINES = 8192
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Traffic:
    """Whose requests are logged, and when: all choices are uniform and independent.

    Attributes
    ----------
    end
        The last day (UTC) that has requests.
    days
        The number of days, `end` included.
    customers
        The number of customers: `cust_1`, `cust_2` and so on.

    Raises
    ------
    ValueError
        If there would be a day that no log line can have.
    """

    seed: int = 42
    end: dt.date = dt.date(2024, 10, 3)
    days: int = 30
    customers: int = 50

    def __post_init__(self) -> None:
        first, last = dt.date(MIN_YEAR, 1, 1), dt.date(MAX_YEAR, 12, 31)
        if self.end > last or self.days > (self.end - first).days + 1:
            raise ValueError(f"{self.days} days up to {self.end} are not all within {first} to {last}")

    def log(self, lines: int) -> Iterator[bytes]:
        """Yield the log, in blocks of whole lines; memory does not depend on their number."""
        draw = random.Random(self.seed).random  # noqa: S311 - reproducible on purpose
        first = self.end - dt.timedelta(days=self.days - 1)
        dates = [str(first + dt.timedelta(days=day)) for day in range(self.days)]
        times = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(_DAY_SECONDS)]
        requests = [f"{path} {status}" for path in PATHS for status in STATUS_CODES]
        durations = [f"{ms // 1000}.{ms % 1000:03}" for ms in DURATIONS_MS]
        for start in range(0, lines, _BLOCK_LINES):
            yield "".join(
                [
                    f"{dates[int(draw() * len(dates))]} {times[int(draw() * _DAY_SECONDS)]}"
                    f" cust_{1 + int(draw() * self.customers)} {requests[int(draw() * len(requests))]}"
                    f" {durations[int(draw() * len(durations))]}\n"
                    for _ in range(min(_BLOCK_LINES, lines - start))
                ]
            ).encode()
