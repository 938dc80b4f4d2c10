"""Random schedules of deliveries with runs of the retention among them. Nothing here knows the code.

Each seed has days of its own, later than those of the seeds before it: the horizon of a database only advances.
"""

import datetime as dt
import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests import oracle
from tests.faults import schedule
from tests.faults.schedule import Schedule, Step

DAYS = 4
_FIRST = dt.date(2001, 1, 1)


@dataclass(frozen=True)
class Run:
    """A run of the retention.

    `fault` is "none", "cut" (the server ends the session before a statement) or "kill" (SIGKILL before one); after it
    the run is tried again, or not if it is `left` to a later one. `at` counts the statements.
    """

    horizon: dt.date
    fault: str = "none"
    at: int = 0
    left: bool = False


@dataclass(frozen=True)
class Expiring:
    """Deliveries, each step at the same time as a run, or not; in the end there is a run that is not disturbed."""

    deliveries: Schedule
    first_day: dt.date
    steps: tuple[tuple[Step, Run | None], ...]

    @property
    def horizon(self) -> dt.date:
        """The latest of all runs."""
        return max([self.first_day, *(run.horizon for _, run in self.steps if run)])

    def expected(self) -> oracle.Statistics:
        """What the deliveries come to, without the days before the horizon: their order makes no difference."""
        return {
            key: numbers
            for key, numbers in self.deliveries.expected().items()
            if key[1] >= self.horizon.isoformat()
        }

    def __str__(self) -> str:
        runs = [f"  {step}\n    {run}" for step, run in self.steps]
        return "\n".join([f"{self.deliveries}", f"first day {self.first_day}", *runs])


def make(seed: int, *, kill: bool) -> Expiring:
    """Make the schedule of a seed."""
    rng = random.Random(f"expiring {seed}")
    first_day = _FIRST + dt.timedelta(DAYS * seed)
    deliveries = schedule.make(seed, kill=kill, days=DAYS, first=first_day)
    runs = _runs(rng, first_day, kill=kill)
    return Expiring(deliveries, first_day, tuple(zip(deliveries.steps, runs, strict=False)))


def _runs(rng: random.Random, first_day: dt.date, *, kill: bool) -> Iterator[Run | None]:
    while True:
        if rng.random() < 0.5:
            yield None
            continue
        horizon = first_day + dt.timedelta(rng.choice([0, 1, 1, 2, 2, 3, 4]))
        faults = ["none", "none", "cut"] + ["kill", "kill"] * kill
        yield Run(horizon, rng.choice(faults), rng.randrange(25), left=rng.random() < 0.5)
