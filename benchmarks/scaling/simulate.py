"""A discrete-event simulation of ingests that share cores, and a lock for their commits.

Each process takes the next object, reads it, queues for the lock, commits. All that runs at a moment shares
the cores: when more CPU is wanted than there is, everything slows down alike.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf


@dataclass(frozen=True, slots=True)
class Phase:
    """A part of an ingest.

    Attributes
    ----------
    seconds
        On an idle machine, with one ingest at a time.
    processor_cpu, database_cpu
        CPU seconds in it.
    """

    seconds: float
    processor_cpu: float
    database_cpu: float


@dataclass(slots=True)
class _Process:
    """An ingesting process; `left` is what it still has to do of its phase, in seconds on an idle machine."""

    objects: int
    committing: bool = False
    waiting: bool = False
    left: float = 0.0


def simulate(read: Phase, commit: Phase, objects: Sequence[int], cores: float) -> float:
    """Return the seconds that processes need for their objects.

    Parameters
    ----------
    read, commit
        The two phases of every object.
    objects
        How many objects each process has.
    cores
        CPU seconds per second that the machine gives.
    """
    processes = [_Process(count, left=read.seconds) for count in objects if count]
    now, holder = 0.0, None
    queue: list[_Process] = []
    while processes:
        running = [process for process in processes if not process.waiting]
        wanted = sum(_share(commit if process.committing else read) for process in running)
        speed = min(1.0, cores / wanted) if wanted else 1.0
        step = min((process.left for process in running), default=inf)
        now += step / speed
        for process in running:
            process.left -= step
        for process in [process for process in running if process.left <= 1e-12]:
            if process.committing:
                holder, process.committing = None, False
                process.objects -= 1
                process.left = read.seconds
                if not process.objects:
                    processes.remove(process)
            else:
                process.waiting = True
                queue.append(process)
        if holder is None and queue:
            holder = queue.pop(0)
            holder.waiting, holder.committing, holder.left = False, True, commit.seconds
    return now


def _share(phase: Phase) -> float:
    """CPU seconds that a phase wants per second."""
    return (phase.processor_cpu + phase.database_cpu) / phase.seconds if phase.seconds else 0.0
