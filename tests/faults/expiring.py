"""Random schedules of deliveries with runs of the retention among them, which close and seal months. Nothing here knows the code.

What must be refused depends on which of two things that happen at once comes first. So the deliveries say which of them were, and
the schedule says what may have been, and what all others come to.
"""

import datetime as dt
import random
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tests import oracle
from tests.faults import schedule
from tests.faults.schedule import BROKEN, Event, Schedule, Step

DAYS = 4
FIRST = dt.date(2024, 9, 29)
"""Two days of one month, and two of the next."""
_HORIZONS = (dt.date(2024, 9, 1), dt.date(2024, 10, 1), dt.date(2024, 11, 1))


@dataclass(frozen=True)
class Run:
    """A run of the retention.

    `fault` is "none", "cut" (the server ends the session before a statement) or "kill" (SIGKILL before one); after it
    the run is tried again, or not if it is `left` to a later one. `at` counts the statements.
    """

    horizon: dt.date
    sealed: dt.date
    fault: str = "none"
    at: int = 0
    left: bool = False


@dataclass(frozen=True)
class Expiring:
    """Deliveries, each step at the same time as a run, or not; in the end there is a run that is not disturbed."""

    deliveries: Schedule
    steps: tuple[tuple[Step, Run | None], ...]

    @property
    def horizon(self) -> dt.date:
        """The latest of all runs."""
        return max([_HORIZONS[0], *(run.horizon for _, run in self.steps if run)])

    def expected(self, accepted: Collection[Event]) -> oracle.Statistics:
        """Add up the accepted deliveries, without the days before the horizon: their order makes no difference."""
        everything = Schedule(self.deliveries.seed, (), (Step(tuple(accepted)),)).expected()
        return {key: numbers for key, numbers in everything.items() if key[1] >= self.horizon.isoformat()}

    def may_refuse(self, event: Event, horizon: dt.date, sealed: dt.date) -> bool:
        """Tell whether another version of an object has lines of days that are sealed and not closed."""
        others = (other for other in self.deliveries.uploads if other.key == event.key and other != event)
        days = {line[:10] for other in others for line in other.lines or () if line not in BROKEN}
        return any(horizon.isoformat() <= day < sealed.isoformat() for day in days)

    def __str__(self) -> str:
        runs = [f"  {step}\n    {run}" for step, run in self.steps]
        return "\n".join([f"{self.deliveries}", *runs])


def make(seed: int, *, kill: bool) -> Expiring:
    """Make the schedule of a seed."""
    rng = random.Random(f"expiring {seed}")
    deliveries = schedule.make(seed, kill=kill, days=DAYS, first=FIRST)
    return Expiring(deliveries, tuple(zip(deliveries.steps, _runs(rng, kill=kill), strict=False)))


def _runs(rng: random.Random, *, kill: bool) -> Iterator[Run | None]:
    while True:
        if rng.random() < 0.4:
            yield None
            continue
        horizon, sealed = rng.choice(_HORIZONS[:2]), rng.choice(_HORIZONS)
        if rng.random() < 0.1:
            horizon = _HORIZONS[2]
        faults = ["none", "none", "cut"] + ["kill", "kill"] * kill
        yield Run(horizon, sealed, rng.choice(faults), rng.randrange(25), left=rng.random() < 0.5)
