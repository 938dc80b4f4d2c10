"""docs/scaling.md: what the benchmark writes there, and when it refuses to."""

import re
from itertools import product

import pytest

from benchmarks.scaling.__main__ import TOLERANCE, refuse
from benchmarks.scaling.child import Times
from benchmarks.scaling.page import PAGE, costs, limits, loads, rewritten, simulation
from benchmarks.scaling.runs import APART, CALIBRATION, CHECKS, CORES, COUNTS, JOINT, Check, Runs, fastest
from benchmarks.scaling.simulate import Sharing, simulate
from benchmarks.scaling.workload import Measured, Workload
from tests.unit.benchmarks.test_scaling_costs import KNOWN, QUERIES

WORKLOAD = Workload(2, 1_000, 10)


def test_tables_are_renewed_between_their_marks() -> None:
    page = "before <!-- a -->old<!-- end of a --> between <!-- b --><!-- end of b --> after"
    assert rewritten(page, {"a": "new", "b": "too"}) == (
        "before <!-- a -->\n\nnew\n\n<!-- end of a --> between <!-- b -->\n\ntoo\n\n<!-- end of b --> after"
    )


def test_a_page_without_the_mark_is_an_error() -> None:
    with pytest.raises(ValueError, match="unpack"):
        rewritten("nothing", {"a": "new"})


def test_the_page_takes_every_table() -> None:
    tables = {
        "costs": costs(KNOWN, QUERIES),
        "simulation": simulation([Check(WORKLOAD, 2, 1.0, 1.1)], Sharing(((0.5, 1.0), (1.0, 1.13)), 1.2)),
        "limits": limits(KNOWN, QUERIES),
        "loads": loads(KNOWN, QUERIES),
    }
    page = rewritten(PAGE.read_text(encoding="utf-8"), tables)
    for table in tables.values():
        assert table in page
        head, rule, *rows = (line for line in table.splitlines() if line.startswith("|"))
        assert all(line.count("|") == head.count("|") for line in (rule, *rows))
    assert "| 2 objects of 1,000 lines, 10 customers | 2 | 1.00 | 1.10 | +10% |" in page
    assert (
        "when they want 100% of the CPU, they take 1.13 times as long. In one database, a commit takes 1.20"
        in page
    )


def test_the_page_shows_simulated_runs_within_the_tolerance() -> None:
    """As measured when the page was last written: with one, two and four processes, each within 20 %."""
    text = (
        PAGE.read_text(encoding="utf-8")
        .split("<!-- simulation -->")[1]
        .split("<!-- end of simulation -->")[0]
    )
    rows = re.findall(
        r"^\| .* customers \| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([+-]\d+)% \|$", text, re.MULTILINE
    )
    assert {int(processes) for processes, *_ in rows} >= {1, 2, 4}
    for _, measured, simulated, off in rows:
        assert abs(int(off)) <= 20
        assert int(off) == pytest.approx(100 * (float(simulated) / float(measured) - 1), abs=2)


def test_no_run_that_is_checked_has_a_part_in_the_costs() -> None:
    assert not set(CALIBRATION) & {workload for workload, _ in CHECKS}


@pytest.mark.parametrize("simulated", [0.79, 1.21])
def test_a_simulation_that_is_off_is_refused(simulated: float) -> None:
    checks = [Check(WORKLOAD, 1, 1.0, 1.0), Check(WORKLOAD, 4, 1.0, simulated)]
    with pytest.raises(SystemExit, match=r"10 customers, 4 processes: [+-]21%.*took 1\.5 cores") as refused:
        refuse(checks, "other processes took 1.5 cores")
    assert "1 processes" not in str(refused.value)


def test_a_simulation_within_the_tolerance_is_not() -> None:
    refuse([Check(WORKLOAD, 1, 1.0, 1 - TOLERANCE + 1e-9), Check(WORKLOAD, 1, 1.0, 1 + TOLERANCE - 1e-9)], "")


def test_the_fastest_run_counts() -> None:
    runs = [Measured(seconds, [], 0.0, 0.0, machine_cpu=0.0) for seconds in (3.0, 2.0, 5.0)]
    assert fastest(runs) is runs[1]


def run(seconds: float, cpu: float) -> Measured:
    """A run of two ingests; PostgreSQL takes half of the CPU time."""
    return Measured(seconds, [[Times(cpu=cpu / 4)] * 2], cpu / 2, 0.0, machine_cpu=cpu + 0.25 * seconds)


def test_what_ingests_do_to_each_other_is_measured_apart_and_in_one_database() -> None:
    alone = {workload: [run(2.0, 1.0 * CORES), run(3.0, 9.0)] for workload in APART}
    slowdowns = dict(zip(COUNTS, (1.1, 2.3), strict=True))
    apart = {one: [run(2.0 * slowdowns[one[1]], 0.0)] for one in product(APART, COUNTS)}
    known = Sharing(((0.5, 1.0), (0.5 * COUNTS[0], 1.1), (0.5 * COUNTS[1], 2.3)), commit=1.25)
    joint = {one: [run(simulated(one, known), 0.0)] for one in product(JOINT, COUNTS)}
    runs = Runs(alone, apart, joint)
    found = runs.sharing(KNOWN)
    for point, expected in zip(found.points, known.points, strict=True):
        assert point == pytest.approx(expected)
    assert found.commit == pytest.approx(1.25, rel=1e-3)
    assert runs.others == pytest.approx([0.25] * len(runs.others))


def simulated(several: tuple[Workload, int], sharing: Sharing) -> float:
    workload, processes = several
    shares = [workload.objects // processes + (i < workload.objects % processes) for i in range(processes)]
    return simulate(KNOWN.read_phase(workload), KNOWN.commit_phases(workload), shares, CORES, sharing)
