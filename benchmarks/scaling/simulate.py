"""A discrete-event simulation of ingests that share cores, and a lock for their commits.

Each process takes its next object, reads it, queues for the lock, commits. All that runs at a moment shares
the cores, and slows down alike the more is wanted of them.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of an ingest.

    Attributes
    ----------
    seconds
        With one ingest at a time.
    processor_cpu, database_cpu
        CPU seconds in it.
    """

    seconds: float
    processor_cpu: float
    database_cpu: float

    @property
    def demand(self) -> float:
        """CPU seconds that it wants per second."""
        return (self.processor_cpu + self.database_cpu) / self.seconds if self.seconds else 0.0


@dataclass(frozen=True, slots=True)
class Sharing:
    """How much slower ingests get that run at the same time.

    Attributes
    ----------
    points
        Of the cores, ascending: the CPU seconds wanted per second that they give, and how many times as long everything
        takes then. Straight lines join them; before the first nothing is slower, and beyond the last it is in
        proportion.
    commit
        How many times as long as that a commit takes while anything else runs: it streams rows to its database session, on
        two cores if they are free.
    """

    points: Sequence[tuple[float, float]] = ((1.0, 1.0),)
    commit: float = 1.0

    def slowdown(self, wanted: float) -> float:
        """Return how many times as long everything takes when so much is wanted."""
        if wanted <= self.points[0][0]:
            return 1.0
        for (left, lower), (right, upper) in pairwise(self.points):
            if wanted <= right:
                return lower + (upper - lower) * (wanted - left) / (right - left)
        most, slowest = self.points[-1]
        return slowest * wanted / most


IDEAL = Sharing()
"""Cores of which each second can be used."""


@dataclass(slots=True, eq=False)
class _Process:
    """An ingesting process: the phase that it is in, and how many seconds of it are left when nothing slows it down."""

    objects: int
    phase: Phase
    left: float


def simulate(
    read: Phase, commits: Sequence[Phase], objects: Sequence[int], cores: float, sharing: Sharing = IDEAL
) -> float:
    """Return the seconds that processes need for their objects.

    Parameters
    ----------
    read
        What every object takes outside the lock.
    commits
        What the first commit of all takes while it holds the lock, the second, and so on: what is stored grows.
    objects
        How many objects each process has.
    cores
        CPU seconds per second that the machine gives.
    sharing
        How much slower they make each other.
    """
    running = [_Process(count, read, read.seconds) for count in objects if count]
    queue: deque[_Process] = deque()
    coming, now = iter(commits), 0.0
    holder: _Process | None = None
    while running:
        now += _advance(running, holder, cores, sharing)
        for process in [process for process in running if process.left <= 1e-12]:
            if process is not holder:
                running.remove(process)
                queue.append(process)
                continue
            holder = None
            process.objects -= 1
            process.phase, process.left = read, read.seconds
            if not process.objects:
                running.remove(process)
        if holder is None and queue:
            holder = queue.popleft()
            holder.phase = next(coming)
            holder.left = holder.phase.seconds
            running.append(holder)
    return now


def _advance(running: list[_Process], holder: _Process | None, cores: float, sharing: Sharing) -> float:
    """Let time go by until the first process ends its phase; return how much."""
    all_alike = sharing.slowdown(sum(process.phase.demand for process in running) / cores)
    holding = all_alike * (sharing.commit if len(running) > 1 else 1.0)
    slowdowns = [holding if process is holder else all_alike for process in running]
    seconds = min(process.left * slowdown for process, slowdown in zip(running, slowdowns, strict=True))
    for process, slowdown in zip(running, slowdowns, strict=True):
        process.left -= seconds / slowdown
    return seconds
