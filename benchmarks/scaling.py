"""How far it scales: costs measured here, arithmetic on them, and other measured runs that must confirm it.

``python -m benchmarks.scaling [--runs 5]`` (``make scaling``) rewrites the figures of docs/scaling.md, unless a run is
off by more than `TOLERANCE`. Of several runs the fastest counts: what disturbs a run only adds to its time. One module,
though long: a reader of the arithmetic needs what it is fitted to and checked with.
"""

import argparse
import datetime as dt
import gc
import platform
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import astuple, dataclass
from functools import reduce
from math import expm1, log1p
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from statistics import fmean

import psutil
import psycopg

from benchmarks import database
from benchmarks.cost import Load
from benchmarks.figures import renew, table
from local.generator import DURATIONS_MS, PATHS, Traffic
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.domain.breakdown import SLOTS_A_DAY
from logstats.settings import DatabaseSettings
from processor.context import Context
from processor.ingest import Ingestor
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore

PAGE = Path(__file__).parents[1] / "docs" / "scaling.md"
TOLERANCE = 0.3
CORES = psutil.cpu_count() or 1
DAY = 86_400.0
BYTES_PER_LINE = 56  # of the generated logs
CONNECTIONS_PER_PROCESSOR = 3  # one for the attempt, and one for each of two worker threads that hold much
PROCESSORS, ACU = 10, 16  # at most, as cdk.json has it for `prod`
VCPU_PER_ACU = 0.25  # assumed: AWS states the memory only (2 GiB), and instance classes have 8 GiB for a vCPU
_CELL_BUCKETS = len(
    {(us.bit_length(), us >> us.bit_length() - 8) for us in (1_000 * ms for ms in DURATIONS_MS)}
)
HISTOGRAMS = ((1, len(DURATIONS_MS)), (len(PATHS), _CELL_BUCKETS), (SLOTS_A_DAY, _CELL_BUCKETS))
"""How many a customer's day has in the generated logs, and of how many buckets at most: its own, those of routes and of half-hours."""
OBJECTS = ((1, 100), (64, 100), (64, 1_000), (64, 10_000), (1_000, 1_000), (1_000, 10_000))
"""MB, and customers in each, of the objects whose limits the page has."""


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds outside the commit and of it; CPU seconds of processor and PostgreSQL."""

    outside: float = 0
    commit: float = 0
    cpu: float = 0
    database: float = 0

    def plus(self, other: "Cost", times: float) -> "Cost":
        """Add so many times another cost; nothing falls below 0."""
        return Cost(*(max(0.0, a + b * times) for a, b in zip(astuple(self), astuple(other), strict=True)))


Costs = Mapping[str, Cost]


@dataclass(frozen=True, slots=True)
class Workload:
    """So many log objects of one day, each with so many lines of the same customers."""

    objects: int
    lines: int
    customers: int

    def terms(self, before: float) -> Mapping[str, float]:
        """Return how much of each cost one object has after others of the same day: days get dearer while their buckets fill up."""
        filled = buckets((before + 1) * self.lines / self.customers)
        return {"object": 1, "line": self.lines, "day": self.customers, "bucket": self.customers * filled}

    def cost(self, costs: Costs, before: float) -> Cost:
        """Return what one object costs after others of the same day."""
        terms = self.terms(before)
        return reduce(lambda total, term: total.plus(costs[term], terms[term]), terms, Cost())

    @property
    def later(self) -> range:
        """The objects that are measured, by how many come before."""
        return range(self.objects // 2, self.objects)


def buckets(requests: float) -> float:
    """Return how many buckets of a customer's day so many requests fill, on average."""
    return sum(number * most * -expm1(requests / number * log1p(-1 / most)) for number, most in HISTOGRAMS)


CALIBRATION = {
    "object": Workload(40, 10, 1),
    "line": Workload(5, 1_000_000, 1),
    "day": Workload(8, 2_000, 2_000),
    "bucket": Workload(10, 200_000, 200),
}
"""For an object, a line, a customer's day, and each bucket of that: ingested by one process."""
CONTENDED = (Workload(16, 2_000, 1_000), Workload(24, 20_000, 500))
"""Mostly commits, of PostgreSQL and of the kernel, by two processes: how many times as long one takes that is not alone."""
CHECKS = (
    (Workload(60, 5_000, 200), 1),
    (Workload(60, 5_000, 200), 2),
    (Workload(24, 50_000, 2_000), 2),
    (Workload(40, 500, 20), 4),
    (Workload(8, 1_000_000, 500), 4),
)
"""Ingested by so many processes; none has a part in the costs."""


def solve(means: Costs) -> Costs:
    """Return the costs from the mean object of each calibration, less what is known of it already."""
    costs: dict[str, Cost] = {}
    for term, workload in CALIBRATION.items():
        terms = [workload.terms(before) for before in workload.later]
        times = {name: fmean(each[name] for each in terms) for name in CALIBRATION}
        known = reduce(lambda total, name: total.plus(costs[name], times[name]), costs, Cost())
        costs[term] = Cost().plus(means[term].plus(known, -1), 1 / times[term])
    return costs


def predict(costs: Costs, workload: Workload, processes: int, contention: float = 1.0) -> float:
    """Return the seconds that so many processes take, when a commit beside one other takes so many times as long.

    Commits of the same customers take turns, all else runs side by side: mean value analysis of a closed network with
    one queue (Reiser, Lavenberg, J. ACM 27, 1980). It takes no less than the CPU time of all on all cores.
    """
    each = [workload.cost(costs, before) for before in range(workload.objects)]
    outside, commit = fmean(cost.outside for cost in each), fmean(cost.commit for cost in each)
    commit *= 1 + (contention - 1) * (processes - 1)
    queue = throughput = 0.0
    for running in range(1, processes + 1):
        response = commit * (1 + queue)
        throughput = running / (outside + response)
        queue = throughput * response
    return max(workload.objects / throughput, sum(cost.cpu + cost.database for cost in each) / CORES)


def limits(costs: Costs, contention: float, megabytes: float, customers: int) -> list[float]:
    """Return the seconds of a commit in the course of a day, and the TB a day that fill lock, processors, database."""
    cost = Workload(1, round(megabytes * 1e6 / BYTES_PER_LINE), customers).cost(costs, before=500)
    commit = cost.commit * contention
    busy = max(cost.outside, megabytes / Load.mb_per_second) + commit  # S3 may be slower than the parser
    objects = (1 / commit, PROCESSORS / busy, ACU * VCPU_PER_ACU / cost.database)
    return [commit, *(DAY * each * megabytes / 1e6 for each in objects)]


def figures(costs: Costs, contention: float, checks: Sequence[tuple[Workload, int, float, float]]) -> str:
    """Return the page's tables; a check is a workload, its processes, and the seconds measured and computed."""
    parts = [["µs", "outside the commit", "commit", "CPU of the processor", "CPU of PostgreSQL"]]
    names = {"an object": 1, "a line": 1, "a customer's day": 1, "1,000 buckets of it": 1_000}
    for (name, times), cost in zip(names.items(), costs.values(), strict=True):
        parts.append([name, *(_short(seconds * times * 1e6) for seconds in astuple(cost))])
    checked = [["objects", "lines", "customers", "processes", "measured, s", "computed, s", "off by"]]
    for workload, processes, measured, computed in checks:
        numbers = [f"{number:,}" for number in (*astuple(workload), processes)]
        checked.append([*numbers, f"{measured:.2f}", f"{computed:.2f}", f"{computed / measured - 1:+.0%}"])
    reached = [["MB, customers", "commit, ms", "TB: lock", f"{PROCESSORS} processors", f"{ACU} ACU"]]
    for megabytes, customers in OBJECTS:
        commit, *most = limits(costs, contention, megabytes, customers)
        bold = [f"**{_short(tb)}**" if tb == min(most) else _short(tb) for tb in most]
        reached.append([f"{megabytes:,}, {customers:,}", _short(commit * 1e3), *bold])
    among = f"A commit takes {contention - 1:.0%} longer for each other that runs beside it on {CORES} cores."
    fixed, seconds = costs["object"].commit, limits(costs, contention, 64, 1_000)[0]
    each = (seconds / contention - fixed) / 1_000
    example = (
        f"For example, a commit of 1,000 customers takes {contention:.2f} · ({fixed * 1e3:.1f} ms + 1,000 · {each * 1e6:.0f} µs)"
        f" = {seconds * 1e3:.0f} ms, so a day's {DAY:,.0f} s have room for {DAY / seconds:,.0f}."
    )
    return "\n\n".join((table(*parts), among, table(*checked), table(*reached), example))


def _short(value: float) -> str:
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}"


@dataclass(frozen=True, slots=True)
class Laboratory:
    """A PostgreSQL with an empty database, and a folder of log objects."""

    server: EmbeddedPostgres
    folder: Path

    def run(self, workload: Workload, processes: int) -> tuple[float, Cost]:
        """Ingest into a new database, by warm processes; return all seconds, and the mean object of the later half."""
        traffic = [Traffic(seed, days=1, customers=workload.customers) for seed in range(workload.objects)]
        paths = [self.folder / f"{workload.lines}-{one.customers}-{one.seed}.log" for one in traffic]
        for path, one in zip(paths, traffic, strict=True):
            if not path.exists():
                path.write_bytes(b"".join(one.log(workload.lines)))
        start = (context := get_context("spawn")).Barrier(processes)
        url = self.server.create_database("run", template="logstats")
        with ProcessPoolExecutor(processes, context, _prepare, (url, self.folder, start)) as pool:
            list(pool.map(_warm_up, range(processes)))
            before, started = self._cpu_seconds(), time.monotonic()
            found = list(pool.map(_ingest, paths))
            seconds, database_cpu = time.monotonic() - started, self._cpu_seconds() - before
        with psycopg.connect(self.server.url("postgres"), autocommit=True) as connection:
            connection.execute("DROP DATABASE run WITH (FORCE)")
        outside, commit, cpu = map(fmean, zip(*(found[number] for number in workload.later), strict=True))
        return seconds, Cost(outside, commit, cpu, database_cpu / workload.objects)

    def _cpu_seconds(self) -> float:
        """Return those of PostgreSQL so far: its postmaster has those of the sessions that have ended."""
        postmaster = psutil.Process(int(self.server.server.get_pid()))
        times = [process.cpu_times() for process in (postmaster, *postmaster.children())]
        return sum(time.user + time.system for time in times) + sum(times[0][2:4])


_worker: tuple[Ingestor, Path, Barrier]  # of an ingesting process


def _prepare(url: str, folder: Path, start: Barrier) -> None:
    global _worker  # noqa: PLW0603 - the executor has no other place for it
    gc.freeze()  # as the function does
    engine = create_engine(DatabaseSettings(url=url, tls="disable", iam_auth=False), max_overflow=-1)
    _worker = Ingestor(engine, LocalRejectStore(folder / "rejected"), workers=1), folder, start


def _warm_up(number: int) -> None:
    """Connect and compile the statements, on another day than the measured one; wait for the others."""
    ingestor, folder, start = _worker
    log = folder / f"warm-up-{number}.log"
    for seed in range(2):  # the second is merged with the first
        log.write_bytes(b"".join(Traffic(seed, dt.date(2000, 1, 1), days=1, customers=1).log(100)))
        ingestor.ingest_file(LocalFile.at(log))
    start.wait(timeout=300)


def _ingest(path: Path) -> tuple[float, float, float]:
    """Return the seconds outside the commit and of it, and the CPU seconds of both."""
    context, started, cpu = Context(), time.monotonic(), time.process_time()
    _worker[0].ingest_file(LocalFile.at(path), context)
    commit = context.commit_seconds
    return time.monotonic() - started - commit, commit, time.process_time() - cpu


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("--runs", type=int, default=5, help="of each workload; the fastest counts")
    rounds = parser.parse_args().runs
    found: dict[tuple[Workload, int], list[tuple[float, Cost]]] = {}
    load = psutil.getloadavg()[0]
    with database.running() as place:
        lab = Laboratory(*place)
        for one in rounds * [
            *((each, 1) for each in CALIBRATION.values()),
            *((each, 2) for each in CONTENDED),
            *CHECKS,
        ]:
            found.setdefault(one, []).append(lab.run(*one))
            print(*one, f"{found[one][-1][0]:.2f} s", flush=True)
    fastest = {one: min(runs, key=lambda run: run[0]) for one, runs in found.items()}
    costs = solve({term: fastest[workload, 1][1] for term, workload in CALIBRATION.items()})
    contention = max(1.0, fmean(fastest[each, 2][0] / predict(costs, each, 2) for each in CONTENDED))
    checks = [(*one, fastest[one][0], predict(costs, *one, contention)) for one in CHECKS]
    machine = f"{CORES} cores ({platform.machine()}), CPython {platform.python_version()}"
    page = f"Machine: {machine}, load {load:.1f} just before; the fastest of {rounds} runs.\n\n{figures(costs, contention, checks)}"
    print(page)
    if wrong := [check for check in checks if abs(check[3] / check[2] - 1) > TOLERANCE]:
        raise SystemExit(f"Off by more than {TOLERANCE:.0%}, so docs/scaling.md stays as it is: {wrong}")
    renew(PAGE, page)


if __name__ == "__main__":
    main()
