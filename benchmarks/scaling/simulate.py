"""A discrete-event simulation of ingests that share cores, and a lock for their commits.

Each process takes its next object, reads it, queues for the lock, commits. All that runs at a moment shares
the cores: when more CPU is wanted than there is, everything slows down alike, and switching between processes takes
its share: caches are lost.
"""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass


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


@dataclass(slots=True, eq=False)
class _Process:
    """An ingesting process: the phase that it is in, and how many seconds of it are left when nothing slows it down."""

    objects: int
    phase: Phase
    left: float


def simulate(
    read: Phase, commits: Sequence[Phase], objects: Sequence[int], cores: float, switching: float = 0.0
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
    switching
        By how much everything is slower, beyond the sharing of cores, when twice as much is wanted as there is: 0.1
        is a tenth. Less when less is wanted.
    """
    running = [_Process(count, read, read.seconds) for count in objects if count]
    queue: deque[_Process] = deque()
    coming, holder, now = iter(commits), None, 0.0
    while running:
        now += _advance(running, cores, switching)
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


def _advance(running: list[_Process], cores: float, switching: float) -> float:
    """Let time go by until the first process ends its phase; return how much."""
    crowding = max(1.0, sum(process.phase.demand for process in running) / cores)
    speed = 1 / crowding / (1 + switching * min(1.0, crowding - 1))
    step = min(process.left for process in running)
    for process in running:
        process.left -= step
    return step / speed
