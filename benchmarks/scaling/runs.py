"""Which workloads the costs come from, and which ones the simulation is checked with: none is both."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from statistics import fmean

import psutil

from benchmarks.scaling.costs import Costs
from benchmarks.scaling.laboratory import Laboratory
from benchmarks.scaling.simulate import Sharing, simulate
from benchmarks.scaling.workload import Measured, Workload

CALIBRATION = (
    Workload(30, 1_000, 50),
    Workload(30, 3_000, 100),
    Workload(16, 2_000, 1_000),
    Workload(8, 40_000, 4_000),
    Workload(12, 30_000, 1_500),
    Workload(10, 200_000, 200),
    Workload(6, 400_000, 300),
    Workload(5, 1_000_000, 50),
)
"""Ingested by one process."""
APART = (Workload(30, 3_000, 100), Workload(10, 200_000, 200))
"""Ingested by a process for each core as well, and by two for each, into databases of their own: what sharing the cores
takes."""
JOINT = (Workload(30, 3_000, 100), Workload(16, 2_000, 1_000))
"""Ingested by as many into one database: what a commit takes that is not the only one. Commits are most of these."""
CHECKS = (
    (Workload(40, 500, 20), 4),
    (Workload(60, 5_000, 200), 1),
    (Workload(60, 5_000, 200), 2),
    (Workload(60, 5_000, 200), 4),
    (Workload(12, 50_000, 2_000), 1),
    (Workload(24, 50_000, 2_000), 2),
    (Workload(6, 100_000, 5_000), 2),
    (Workload(8, 1_000_000, 500), 2),
    (Workload(8, 1_000_000, 500), 4),
)
"""Ingested by so many processes."""
CORES = psutil.cpu_count() or 1
COUNTS = (CORES, 2 * CORES)
_COMMIT_SLOWDOWNS = (1.0, 3.0)

Several = tuple[Workload, int]
"""A workload, and the processes that ingest it."""


@dataclass(frozen=True, slots=True)
class Check:
    """A run that was measured (the fastest of several), and simulated from the costs of other ones."""

    workload: Workload
    processes: int
    measured: float
    simulated: float

    @property
    def error(self) -> float:
        """Of the simulation, relative to what was measured."""
        return self.simulated / self.measured - 1


@dataclass(slots=True)
class Runs:
    """Repeated runs, in rounds: whatever else the machine does meets all of them alike.

    Of each workload's runs the fastest counts: what disturbs a run only adds to its time (`timeit` says the same).
    """

    _calibration: dict[Workload, list[Measured]] = field(default_factory=dict)
    _apart: dict[Several, list[Measured]] = field(default_factory=dict)
    _joint: dict[Several, list[Measured]] = field(default_factory=dict)
    _checks: dict[Several, list[Measured]] = field(default_factory=dict)

    def add_round(self, lab: Laboratory) -> None:
        """Run everything once."""
        for workload in CALIBRATION:
            self._calibration.setdefault(workload, []).append(lab.run(workload, 1))
        for workload, processes in product(APART, COUNTS):
            self._apart.setdefault((workload, processes), []).append(lab.run(workload, processes, apart=True))
        for workload, processes in product(JOINT, COUNTS):
            self._joint.setdefault((workload, processes), []).append(lab.run(workload, processes))
        for workload, processes in CHECKS:
            self._checks.setdefault((workload, processes), []).append(lab.run(workload, processes))

    @property
    def others(self) -> list[float]:
        """CPU seconds per second that other processes took, of each run that counts."""
        several = (*self._apart.values(), *self._joint.values(), *self._checks.values())
        return [fastest(runs).others for runs in (*self._calibration.values(), *several)]

    @property
    def calibration(self) -> list[tuple[Workload, Measured]]:
        """What the costs come from."""
        return [(workload, fastest(runs)) for workload, runs in self._calibration.items()]

    def sharing(self, costs: Costs) -> Sharing:
        """Return how much slower ingests get that run at the same time."""
        alone = [fastest(self._calibration[workload]) for workload in APART]
        seconds = sum(run.seconds for run in alone)
        wanted = sum(run.cpu for run in alone) / seconds / CORES
        points = [(wanted, 1.0)]
        for processes in COUNTS:
            apart = sum(fastest(self._apart[workload, processes]).seconds for workload in APART)
            points.append((wanted * processes, max(apart / seconds, points[-1][1])))

        def error(commit: float) -> float:
            sharing = Sharing(points, commit)
            return fmean(
                _simulate(one, costs, sharing) / fastest(runs).seconds - 1
                for one, runs in self._joint.items()
            )

        return Sharing(points, _root(error, *_COMMIT_SLOWDOWNS))

    def check(self, costs: Costs, sharing: Sharing) -> list[Check]:
        """Simulate the runs that have no part in the costs, nor in what ingests do to each other."""
        return [
            Check(*one, fastest(runs).seconds, _simulate(one, costs, sharing))
            for one, runs in self._checks.items()
        ]


def _simulate(several: Several, costs: Costs, sharing: Sharing) -> float:
    workload, processes = several
    shares = [len(range(index, workload.objects, processes)) for index in range(processes)]
    return simulate(costs.read_phase(workload), costs.commit_phases(workload), shares, CORES, sharing)


def _root(rising: Callable[[float], float], low: float, high: float) -> float:
    """Return where a rising function is 0, or the end that is nearest to it."""
    for _ in range(20):
        middle = (low + high) / 2
        low, high = (middle, high) if rising(middle) < 0 else (low, middle)
    return low


def fastest(runs: list[Measured]) -> Measured:
    """Return the run that took the least time."""
    return min(runs, key=lambda run: run.seconds)
