"""What one log object costs, split into what runs beside other ingests and what only one may do at a time."""

from dataclasses import asdict, dataclass

import numpy as np

from benchmarks.scaling.simulate import Phase
from benchmarks.scaling.workload import Measured, Workload


@dataclass(frozen=True, slots=True)
class Costs:
    """Seconds per object, per line and per touched customer-day and histogram bucket, of an ingest outside (`read`) and in its commit.

    `row_bytes` are those of a stored contribution: of the longest histogram among the runs. The CPU shares are those of the whole ingest: both phases wait for disk and replies in the same proportion.
    """

    read_object: float
    read_line: float
    read_row: float
    read_bucket: float
    commit_object: float
    commit_row: float
    commit_bucket: float
    processor_share: float
    database_share: float
    row_bytes: float

    def read(self, workload: Workload) -> Phase:
        """Return what an object takes until its commit begins; it does not hinder other ingests."""
        return self._phase(self.read_object + self.read_line * workload.lines + self.read_row * workload.rows)

    def commit(self, workload: Workload) -> Phase:
        """Return what a commit takes; commits that share customers take turns."""
        return self._phase(
            self.commit_object + self.commit_row * workload.rows + self.commit_bucket * workload.buckets
        )

    def _phase(self, seconds: float) -> Phase:
        return Phase(seconds, seconds * self.processor_share, seconds * self.database_share)

    def as_dict(self) -> dict[str, float]:
        """Return the figures by name."""
        return asdict(self)


def fit(runs: list[tuple[Workload, Measured]]) -> Costs:
    """Fit costs to runs with one process: least squares of relative errors, none below 0."""
    objects = np.array([workload.objects for workload, _ in runs], float)
    lines = np.array([workload.lines for workload, _ in runs], float)
    rows = np.array([workload.rows for workload, _ in runs], float)
    buckets = np.array([workload.buckets for workload, _ in runs], float)
    seconds = np.array([run.seconds for _, run in runs])
    commits = np.array([run.commit_seconds for _, run in runs])
    read = _solve(np.column_stack([np.ones_like(lines), lines, rows, buckets]), (seconds - commits) / objects)
    commit = _solve(np.column_stack([np.ones_like(rows), rows, buckets]), commits / objects)
    total = float(seconds.sum())
    return Costs(
        read_object=read[0],
        read_line=read[1],
        read_row=read[2],
        read_bucket=read[3],
        commit_object=commit[0],
        commit_row=commit[1],
        commit_bucket=commit[2],
        processor_share=sum(run.processor_cpu for _, run in runs) / total,
        database_share=sum(run.database_cpu for _, run in runs) / total,
        row_bytes=max(run.row_bytes for _, run in runs),
    )


def _solve(
    terms: "np.ndarray[tuple[int, int], np.dtype[np.float64]]",
    values: "np.ndarray[tuple[int], np.dtype[np.float64]]",
) -> list[float]:
    """Solve least squares with relative errors; a cost that comes out negative is 0, and the rest solved again."""
    used = np.ones(terms.shape[1], bool)
    while True:
        solution = np.zeros(terms.shape[1])
        solution[used] = np.linalg.lstsq(terms[:, used] / values[:, None], np.ones_like(values), rcond=None)[
            0
        ]
        if (solution >= 0).all():
            return [float(value) for value in solution]
        used &= solution >= 0
