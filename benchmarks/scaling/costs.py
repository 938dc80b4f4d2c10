"""What one log object costs, split into what runs beside other ingests and what only one may do at a time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import mul
from statistics import fmean

from benchmarks.scaling.simulate import Phase
from benchmarks.scaling.workload import Measured, Workload

Terms = Mapping[str, float]

_SWEEPS, _PRECISE = 100_000, 1e-9


@dataclass(frozen=True, slots=True)
class Costs:
    """Fitted costs of an ingest.

    Attributes
    ----------
    read, commit
        Seconds outside the lock of the object's customers, and while holding it, by term: see `read_terms` and
        `commit_terms`.
    read_shares, commit_shares
        CPU seconds per second, of the processor and of PostgreSQL.
    stored
        Bytes of a contribution with its share of the indexes: for itself, and for what is in its histogram.
    """

    read: Terms
    commit: Terms
    read_shares: tuple[float, float]
    commit_shares: tuple[float, float]
    stored: Terms

    def read_phase(self, workload: Workload) -> Phase:
        """Return what an object takes outside the lock."""
        return _phase(read_terms(workload), self.read, self.read_shares)

    def commit_phase(self, workload: Workload, before: int) -> Phase:
        """Return what a commit takes while it holds the lock, when so many such objects are committed already."""
        return _phase(commit_terms(workload, before), self.commit, self.commit_shares)

    def commit_phases(self, workload: Workload) -> list[Phase]:
        """Return what each commit of a workload takes, in their order."""
        return [self.commit_phase(workload, before) for before in range(workload.objects)]

    def contribution_bytes(self, workload: Workload) -> float:
        """Return the size of a stored contribution with its share of the indexes."""
        return _sum(_stored_terms(workload), self.stored)


def read_terms(workload: Workload) -> Terms:
    """Return what costs time outside the lock."""
    return {
        "object": 1,
        "line": workload.lines,
        "row": workload.rows,
        "page": workload.pages(),
        "listed": workload.listed(),
    }


def commit_terms(workload: Workload, before: int) -> Terms:
    """Return what costs time under the lock.

    The rows that have statistics already, and what is in the histograms that are added and in those they are added to.
    A customer's first contribution to a day is only copied.
    """
    rows, pages, listed = workload.rows, workload.pages(), workload.listed()
    if not before:
        return {"object": 1, "row": 0, "page": 0, "listed": 0, "first row": rows, "first page": pages}
    return {
        "object": 1,
        "row": rows,
        "page": pages + workload.pages(before),
        "listed": listed + workload.listed(before),
        "first row": 0,
        "first page": 0,
    }


def _stored_terms(workload: Workload) -> Terms:
    rows = workload.rows
    return {"row": 1, "packed byte": workload.packed_bytes() / rows, "listed": workload.listed() / rows}


def _phase(terms: Terms, costs: Terms, shares: tuple[float, float]) -> Phase:
    seconds = _sum(terms, costs)
    return Phase(seconds, seconds * shares[0], seconds * shares[1])


def _sum(terms: Terms, costs: Terms) -> float:
    return sum(count * costs[name] for name, count in terms.items())


def fit(runs: Sequence[tuple[Workload, Measured]]) -> Costs:
    """Fit costs to the single ingests of runs with one process.

    Errors count relative to the mean of their run: relative to each ingest, slow ones would hardly count.
    """
    ingests = [(workload, before, one) for workload, run in runs for before, one in enumerate(run.ingests[0])]
    means = [fmean(one.outside for one in run.ingests[0]) for _, run in runs for _ in run.ingests[0]]
    held_means = [fmean(one.held for one in run.ingests[0]) for _, run in runs for _ in run.ingests[0]]
    outside, held = sum(one.outside for *_, one in ingests), sum(one.held for *_, one in ingests)
    held_cpu = sum(one.held_cpu for *_, one in ingests)
    held_database_cpu = sum(one.held_database_cpu for *_, one in ingests)
    cpu = sum(one.cpu for *_, one in ingests)
    database_cpu = sum(run.database_cpu for _, run in runs)
    return Costs(
        read=solve(
            [read_terms(workload) for workload, *_ in ingests], [one.outside for *_, one in ingests], means
        ),
        commit=solve(
            [commit_terms(workload, before) for workload, before, _ in ingests],
            [one.held for *_, one in ingests],
            held_means,
        ),
        read_shares=((cpu - held_cpu) / outside, (database_cpu - held_database_cpu) / outside),
        commit_shares=(held_cpu / held, held_database_cpu / held),
        stored=solve(
            [_stored_terms(workload) for workload, _ in runs],
            [run.row_bytes for _, run in runs],
            [run.row_bytes for _, run in runs],
        ),
    )


def solve(terms: Sequence[Terms], values: Sequence[float], scales: Sequence[float]) -> Terms:
    """Return the costs, none below 0, by which the terms come closest to the values.

    Non-negative least squares of errors relative to scales, by coordinate descent (Franc, Hlaváč, Navara: Sequential
    coordinate-wise algorithm for the non-negative least squares problem, 2005).
    """
    names = list(terms[0])
    rows = [[one[name] / scale for name in names] for one, scale in zip(terms, scales, strict=True)]
    wanted = [value / scale for value, scale in zip(values, scales, strict=True)]
    gram = [[sum(row[i] * row[j] for row in rows) for j in range(len(names))] for i in range(len(names))]
    moments = [
        sum(row[i] * value for row, value in zip(rows, wanted, strict=True)) for i in range(len(names))
    ]
    costs = [0.0] * len(names)
    for _ in range(_SWEEPS):
        change = 0.0
        for i, line in enumerate(gram):
            if line[i]:
                better = max(0.0, costs[i] + (moments[i] - sum(map(mul, line, costs))) / line[i])
                change = max(change, abs(better - costs[i]) * line[i] ** 0.5)
                costs[i] = better
        if change < _PRECISE:
            break
    return dict(zip(names, costs, strict=True))
