"""Costs fitted to ingests whose costs are known, and what follows from them, computed by hand."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from random import Random
from statistics import fmean

import pytest

from benchmarks import cost
from benchmarks.scaling import limits
from benchmarks.scaling.child import Times
from benchmarks.scaling.costs import Costs, commit_terms, fit, solve
from benchmarks.scaling.loads import Load, use
from benchmarks.scaling.query import QueryCosts
from benchmarks.scaling.workload import DENSE_FROM, PAGE, Measured, Workload
from local.generator import DURATIONS_MS
from logstats.domain.histogram import LatencyHistogram

KNOWN = Costs(
    read={"object": 0.010, "line": 1e-7, "row": 1e-5, "page": 1e-6, "listed": 1e-7},
    commit={
        "object": 0.005,
        "row": 5e-5,
        "page": 6e-7,
        "listed": 1e-7,
        "first row": 1e-5,
        "first page": 3e-7,
    },
    read_shares=(0.6, 0.3),
    commit_shares=(0.7, 0.25),
    stored={"row": 200.0, "packed byte": 1.2, "listed": 3.0},
)
QUERIES = QueryCosts(request=0.001, row=0.00001, database_share=0.25)


def ingested(workload: Workload) -> Measured:
    """Return a run of one process, in which each ingest has waited for another one's lock as well."""
    read, commits = KNOWN.read_phase(workload), KNOWN.commit_phases(workload)
    times = [
        Times(
            seconds=read.seconds + commit.seconds + 0.5,
            wait=0.5,
            held=commit.seconds,
            cpu=read.processor_cpu + commit.processor_cpu,
            held_cpu=commit.processor_cpu,
            held_database_cpu=commit.database_cpu,
        )
        for commit in commits
    ]
    database_cpu = sum(read.database_cpu + commit.database_cpu for commit in commits)
    return Measured(1.0, [times], database_cpu, KNOWN.contribution_bytes(workload), machine_cpu=0.0)


def test_a_fit_finds_the_costs_again() -> None:
    workloads = [
        Workload(12, 1_000, 50),
        Workload(12, 3_000, 100),
        Workload(6, 2_000, 1_000),
        Workload(6, 200_000, 200),
        Workload(4, 1_000_000, 50),
    ]
    found = fit([(workload, ingested(workload)) for workload in workloads])
    assert found.read == pytest.approx(KNOWN.read, rel=1e-3)
    assert found.commit == pytest.approx(KNOWN.commit, rel=1e-2)
    assert found.stored == pytest.approx(KNOWN.stored, rel=1e-3)
    assert found.read_shares == pytest.approx(KNOWN.read_shares)
    assert found.commit_shares == pytest.approx(KNOWN.commit_shares)


def test_no_cost_is_negative() -> None:
    """The line through 9, 8 and 7 falls, so the best flat one is left: their mean."""
    terms = [{"object": 1.0, "row": float(rows)} for rows in (1, 2, 3)]
    assert solve(terms, [9, 8, 7], [1, 1, 1]) == pytest.approx({"object": 8, "row": 0}, abs=1e-6)


def test_errors_count_relative_to_their_scales() -> None:
    """Minimise ((x - 1) / 1)² + ((x - 3) / 2)²: x - 1 + (x - 3) / 4 = 0."""
    assert solve([{"object": 1}, {"object": 1}], [1, 3], [1, 2])["object"] == pytest.approx(1.4)


def test_a_term_that_never_occurs_costs_nothing() -> None:
    assert solve([{"object": 1, "row": 0}], [2], [1]) == pytest.approx({"object": 2, "row": 0})


def test_the_first_commit_copies_and_later_ones_add() -> None:
    workload = Workload(2, 100, 100)  # a line, so an entry, of each customer
    assert commit_terms(workload, 0) == {
        "object": 1,
        "row": 0,
        "page": 0,
        "listed": 0,
        "first row": 100,
        "first page": pytest.approx(0, abs=1e-9),
    }
    later = commit_terms(workload, 1)
    assert (later["row"], later["first row"]) == (100, 0)
    assert later["listed"] == pytest.approx(100 + 100)
    full = Workload(3, 1_901_000, 1)
    assert commit_terms(full, 1)["page"] == pytest.approx(2 * 1901 / 64)


def test_histograms_fill_up() -> None:
    full = Workload(10, 1_901_000, 1)
    assert full.pages() == full.pages(10) == pytest.approx(1901 / 64)
    assert full.listed() == pytest.approx(0, abs=1e-6)
    sparse = Workload(2, 2, 1)
    assert sparse.pages() == pytest.approx(0, abs=1e-9)
    assert sparse.listed() == pytest.approx(2 - 1 / 1901)  # two draws of 1901 are seldom the same
    assert sparse.listed(0) == sparse.pages(0) == 0


def test_a_page_is_packed_when_an_eighth_of_it_is_used() -> None:
    """As the kernel does it: so many pages are in its histograms, on average."""
    random = Random(1)
    workload = Workload(1, 300, 1)
    found = [packed_and_listed(random.choices(DURATIONS_MS, k=300)) for _ in range(200)]
    assert workload.pages() == pytest.approx(fmean(pages for pages, _ in found), rel=0.1)
    assert workload.listed() == pytest.approx(fmean(listed for _, listed in found), rel=0.1)


def packed_and_listed(durations_ms: Sequence[int]) -> tuple[int, int]:
    """The pages that the kernel packs, and the entries that are in none."""
    used = Counter(duration // PAGE for duration in set(durations_ms))
    packed = [count for count in used.values() if count >= DENSE_FROM]
    version, pages_less_one = LatencyHistogram.of([ms * 1000 for ms in durations_ms]).encoded[:2]
    assert len(packed) == (pages_less_one + 1 if version == 2 else 0)
    return len(packed), sum(used.values()) - sum(packed)


@pytest.mark.parametrize("lines", [1_901, 19_010, 190_100, 1_901_000])
def test_the_size_of_pages_is_that_of_the_kernels_histograms(lines: int) -> None:
    """Beside the counts there are a few bytes to each page, and the durations at the ends that fill none."""
    durations = Random(2).choices(DURATIONS_MS, k=lines)
    encoded = LatencyHistogram.of([duration * 1000 for duration in durations]).encoded
    assert Workload(1, lines, 1).packed_bytes() == pytest.approx(len(encoded), rel=0.35)


def test_more_processors_than_the_lock_lets_through_do_not_help() -> None:
    flat = replace(
        KNOWN, read=dict.fromkeys(KNOWN.read, 0) | {"object": 0.030}, commit=dict.fromkeys(KNOWN.commit, 0) | {"object": 0.010}
    )  # fmt: skip
    assert limits.useful_processors(flat, Workload(2, 10, 10)) == pytest.approx(4)
    assert limits.most_objects_per_second(flat, 10) == pytest.approx(100)


def test_customers_of_a_commit_follow_from_its_time() -> None:
    by_row = replace(KNOWN, commit=dict.fromkeys(KNOWN.commit, 0) | {"row": 0.001})
    assert limits.most_customers(by_row, seconds=6) == 6_000


def test_a_day_is_counted_by_hand() -> None:
    """86,400 objects of 1 MB; a commit takes 0.5 s, half of it PostgreSQL's; 10 customers; 8,640,000 questions."""
    costs = replace(
        KNOWN,
        read=dict.fromkeys(KNOWN.read, 0) | {"object": 0.5, "line": 1.0},
        commit=dict.fromkeys(KNOWN.commit, 0) | {"object": 0.5},
        read_shares=(0.0, 0.0),
        commit_shares=(0.5, 0.5),
        stored={"row": 100.0, "packed byte": 0.0, "listed": 0.0},
    )
    load = Load("a test", 86.4e9, 1e6, 10, queries=8_640_000, retention_days=10)
    needs = use(costs, QUERIES, load)
    assert needs.commits == pytest.approx(0.5)
    assert needs.processors == pytest.approx(
        1e6 / 100e6 + 0.5 + 0.5
    )  # 100 MB/s from S3, however fast it parses
    assert needs.acu == pytest.approx((0.25 + 100 * 0.0013 * 0.25) / 0.25)
    assert needs.connections == 3 * 2 + 1
    assert needs.terabytes == pytest.approx(86_400 * 10 * 100 * 10 / 1e12)
    assert needs.usd_logs == pytest.approx(86.4 * 30 * cost.Prices().s3_gb_month)
    hours = 24 * cost.DAYS
    stored = 86_400 * 10 * 100 * 10 / 1e9 * 0.10
    writes = 86_400 * cost.DAYS * 10 * cost.IOS_PER_CONTRIBUTION / 1e6 * 0.20
    assert needs.usd_database == pytest.approx(hours * 2 * needs.acu * 0.12 + stored + writes)


def test_databases_share_the_lock_but_not_the_customers() -> None:
    one = Load("one", 1e12, 1e9, 1_000)
    alone, shared = use(KNOWN, QUERIES, one), use(KNOWN, QUERIES, replace(one, databases=10))
    assert shared.commits == pytest.approx(
        1000 * KNOWN.commit_phase(replace(one, databases=10).workload, 500).seconds / 86_400
    )
    assert shared.commits < alone.commits / 5
    assert shared.terabytes == pytest.approx(alone.terabytes, rel=0.01)


def test_a_cluster_is_paid_for_instead_of_the_function() -> None:
    """1 TB a day at 100 MB/s are 10,000 s of a function, or 5,000 s of a task with twice its CPUs."""
    free = replace(KNOWN, read=dict.fromkeys(KNOWN.read, 0), commit=dict.fromkeys(KNOWN.commit, 0))
    load, prices = Load("a test", 1e12, 1e9, 1_000), cost.Prices()
    by_function, by_cluster = use(free, QUERIES, load), use(free, QUERIES, replace(load, cluster=True))
    function = 10_000 * cost.PROCESSOR_GB * prices.lambda_arm_gb_second
    requests = 1_000 / 1e6 * prices.lambda_million_requests
    endpoints, task_hour = cost.backfill(prices)
    difference = endpoints + cost.DAYS * (5_000 / 3_600 * task_hour - function - requests)
    assert by_cluster.usd - by_function.usd == pytest.approx(difference)
    assert by_cluster.usd_database == by_function.usd_database
