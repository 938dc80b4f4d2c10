"""Which workloads the costs come from, and which ones the simulation is checked with: none is both."""

from dataclasses import dataclass, field

import psutil

from benchmarks.scaling.costs import Costs
from benchmarks.scaling.laboratory import Laboratory
from benchmarks.scaling.simulate import Phase, simulate
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
"""Ingested by two processes for each core as well, into databases of their own: what switching between them takes."""
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


@dataclass(frozen=True, slots=True)
class Check:
    """A run that was measured (the median of several), and simulated from the costs of other ones."""

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

    Of each workload's runs one counts: see `typical`.
    """

    _calibration: dict[Workload, list[Measured]] = field(default_factory=dict)
    _apart: dict[Workload, list[Measured]] = field(default_factory=dict)
    _checks: dict[tuple[Workload, int], list[Measured]] = field(default_factory=dict)

    def add_round(self, lab: Laboratory) -> None:
        """Run everything once."""
        for workload in CALIBRATION:
            self._calibration.setdefault(workload, []).append(lab.run(workload, 1))
        for workload in APART:
            self._apart.setdefault(workload, []).append(lab.run(workload, 2 * CORES, apart=True))
        for workload, processes in CHECKS:
            self._checks.setdefault((workload, processes), []).append(lab.run(workload, processes))

    @property
    def others(self) -> list[float]:
        """CPU seconds per second that other processes took, of each run that counts."""
        groups = [*self._calibration.values(), *self._apart.values(), *self._checks.values()]
        return [typical(runs).others for runs in groups]

    @property
    def calibration(self) -> list[tuple[Workload, Measured]]:
        """What the costs come from."""
        return [(workload, typical(runs)) for workload, runs in self._calibration.items()]

    def switching(self) -> float:
        """Return by how much ingests that share nothing but the cores are slower than the cores alone explain."""
        explained = 0.0
        for workload in self._apart:
            whole = _mean(typical(self._calibration[workload]))
            nothing = [Phase(0.0, 0.0, 0.0)] * workload.objects * 2 * CORES
            explained += simulate(whole, nothing, [workload.objects] * 2 * CORES, CORES)
        return max(0.0, sum(typical(runs).seconds for runs in self._apart.values()) / explained - 1)

    def check(self, costs: Costs) -> list[Check]:
        """Simulate the runs that have no part in the costs."""
        switching, found = self.switching(), []
        for (workload, processes), runs in self._checks.items():
            shares = [len(range(index, workload.objects, processes)) for index in range(processes)]
            read, commits = costs.read_phase(workload), costs.commit_phases(workload)
            simulated = simulate(read, commits, shares, CORES, switching)
            found.append(Check(workload, processes, typical(runs).seconds, simulated))
        return found


def typical(runs: list[Measured]) -> Measured:
    """Return the run with the median time, of the half (rounded up) in which other processes took the least."""
    quieter = sorted(runs, key=lambda run: run.others)[: (len(runs) + 1) // 2]
    return sorted(quieter, key=lambda run: run.seconds)[len(quieter) // 2]


def _mean(run: Measured) -> Phase:
    """Return a whole ingest of a run with one process, on average."""
    ingests = run.ingests[0]
    cpu = sum(one.cpu for one in ingests)
    return Phase(run.seconds / len(ingests), cpu / len(ingests), run.database_cpu / len(ingests))
