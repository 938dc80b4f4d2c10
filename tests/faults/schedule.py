"""Random schedules of deliveries, and what must be in the tables after them. Nothing here knows the code."""

import gzip
import random
from dataclasses import dataclass, field
from datetime import date

from tests import oracle
from tests.logs import as_bytes, random_lines

BROKEN = ("broken", "2024-09-04 00:00:00 c /a 200")
"""Lines to be rejected."""


@dataclass(frozen=True)
class Event:
    """What S3 announces; no lines: a delete marker."""

    key: str
    sequencer: str
    lines: tuple[str, ...] | None
    data: bytes | None
    version: str

    @property
    def order(self) -> str:
        """Sequencers as S3's user guide compares them: padded on the right."""
        return self.sequencer.ljust(16, "0")


@dataclass(frozen=True)
class Step:
    """Events delivered at once, one thread each, and what befalls the first of them.

    `fault` is "none", "cut" (the server ends the session before a statement), "kill" (SIGKILL before a
    statement), "kill instruction" (SIGKILL before a bytecode instruction of the processor); `at` counts the
    statements, or the instructions.
    """

    events: tuple[Event, ...]
    fault: str = "none"
    at: int = 0


@dataclass(frozen=True)
class Schedule:
    """A history of uploads, and the deliveries in which it arrives."""

    seed: int
    uploads: tuple[Event, ...]
    steps: tuple[Step, ...] = field(default=())

    def expected(self) -> oracle.Statistics:
        """Of each key, the newest event that was delivered counts."""
        newest: dict[str, Event] = {}
        for event in (event for step in self.steps for event in step.events):
            known = newest.get(event.key)
            if known is None or event.order > known.order:
                newest[event.key] = event
        counting = (line for event in newest.values() for line in event.lines or ())
        return oracle.statistics(line for line in counting if line not in BROKEN)

    def __str__(self) -> str:
        lines = [f"schedule of seed {self.seed}"]
        for step in self.steps:
            events = ", ".join(
                f"{event.key}@{event.sequencer}({'deleted' if event.lines is None else len(event.lines)})"
                for event in step.events
            )
            lines.append(f"  {events}" + (f" {step.fault} at {step.at}" if step.fault != "none" else ""))
        return "\n".join(lines)


def make(seed: int, *, kill: bool, days: int = 2, first: date = date(2024, 9, 4)) -> Schedule:
    """Make the schedule of a seed. Its bucket and its customers are its own, so many can share a database."""
    rng = random.Random(seed)
    contents = [_content(rng, seed, days, first) for _ in range(3)]
    uploads: list[Event] = []
    for number in range(rng.randrange(2, 6)):
        key = f"s{seed}/{rng.choice('ab')}.log" + rng.choice(["", ".gz"])
        lines = None if rng.random() < 0.15 else rng.choice(contents)
        data = None if lines is None else as_bytes(list(lines))
        if data is not None and key.endswith(".gz"):
            data = gzip.compress(data, mtime=0)
        version = f"v{1 + sum(event.key == key for event in uploads)}"
        uploads.append(Event(key, _sequencer(number, rng), lines, data, version))
    return Schedule(seed, tuple(uploads), tuple(_steps(rng, uploads, kill=kill)))


def _sequencer(number: int, rng: random.Random) -> str:
    """Return an ever greater number; some are padded, and one is longer than another that is greater."""
    return f"{9 + number:X}".rjust(4, "0") + "F" * rng.randrange(3)


def _content(rng: random.Random, seed: int, days: int, first: date) -> tuple[str, ...]:
    lines = random_lines(rng.randrange(1 << 30), rng.randrange(25), customers=3, days=days, first=first)
    broken = rng.choices(BROKEN, k=rng.choice([0, 0, 1, 3]))
    return (*(line.replace("cust_", f"s{seed}-") for line in lines), *broken)


def _steps(rng: random.Random, events: list[Event], *, kill: bool) -> list[Step]:
    deliveries = [event for event in events for _ in range(rng.choice([1, 1, 2]))]
    rng.shuffle(deliveries)
    steps: list[Step] = []
    while deliveries:
        together = [deliveries.pop() for _ in range(min(len(deliveries), rng.choice([1, 1, 1, 2, 3])))]
        chance = rng.random()
        if kill and chance < 0.08:
            steps.append(Step(tuple(together), "kill", rng.randrange(30)))
        elif kill and chance < 0.15:
            steps.append(Step(tuple(together), "kill instruction", rng.randrange(6_500)))
        elif chance < 0.2:
            steps.append(Step(tuple(together), "cut", rng.randrange(30)))
        else:
            steps.append(Step(tuple(together)))
    return steps
