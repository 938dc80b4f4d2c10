"""The arithmetic of docs/scaling.md, where the answer is known without it, and the page itself."""

import json
import re
from functools import reduce
from itertools import starmap
from pathlib import Path

import pytest

from benchmarks import scaling
from benchmarks.figures import rewritten
from benchmarks.scaling import (
    CALIBRATION,
    CHECKS,
    CONTENDED,
    PAGE,
    Cost,
    Workload,
    figures,
    limits,
    predict,
    solve,
)
from cdk.processor import ProcessorParameters
from local.generator import DURATIONS_MS
from tests.breakdowns import bucket

KNOWN = {
    "object": Cost(0.010, 0.005, 0.012, 0.004),
    "line": Cost(1e-7, 0, 1e-7, 0),
    "day": Cost(1e-5, 5e-5, 3e-5, 2e-5),
    "bucket": Cost(2e-9, 7e-9, 5e-9, 3e-9),
}
NOTHING = dict.fromkeys(KNOWN, Cost())


def test_costs_are_found_again_in_the_runs_that_they_dominate() -> None:
    found = solve({term: mean(one) for term, one in CALIBRATION.items()})
    for term, cost in KNOWN.items():
        for name in ("outside", "commit", "cpu", "database"):
            assert getattr(found[term], name) == pytest.approx(getattr(cost, name), rel=0.1, abs=1e-9), term


def mean(workload: Workload) -> Cost:
    costs = [workload.cost(KNOWN, before) for before in workload.later]
    return reduce(lambda total, each: total.plus(each, 1 / len(costs)), costs, Cost())


def test_no_cost_is_negative() -> None:
    noisy = {**dict.fromkeys(CALIBRATION, Cost(0.001)), "object": Cost(0.002)}
    assert solve(noisy)["line"] == Cost()


def test_days_get_dearer_until_all_their_buckets_are_filled() -> None:
    costs = {**NOTHING, "day": Cost(commit=1), "bucket": Cost(commit=1)}
    one_each = Workload(1, 10, 10)
    one_in_each = 3  # of the day, of a route, of a half-hour
    assert one_each.cost(costs, 0).commit == pytest.approx(10 * (1 + one_in_each), rel=0.001)
    most = sum(number * buckets for number, buckets in scaling.HISTOGRAMS)
    assert one_each.cost(costs, 1_000_000).commit == pytest.approx(10 * (1 + most))


def test_cells_have_as_many_buckets_as_the_kernel_s() -> None:
    assert {most for _, most in scaling.HISTOGRAMS[1:]} == {len({bucket(1_000 * ms) for ms in DURATIONS_MS})}


def test_one_process_takes_the_sum() -> None:
    costs = {**NOTHING, "object": Cost(outside=2, commit=1)}
    assert predict(costs, Workload(5, 1, 1), 1) == pytest.approx(15)


def test_all_but_the_commit_runs_side_by_side() -> None:
    assert predict({**NOTHING, "object": Cost(outside=2)}, Workload(6, 1, 1), 3) == pytest.approx(4)
    assert predict({**NOTHING, "object": Cost(commit=2)}, Workload(6, 1, 1), 3) == pytest.approx(12)
    # One is in the commit half of the time; two wait for each other, a commit takes 1.5, and 2 / (1 + 1.5) end in each second.
    assert predict({**NOTHING, "object": Cost(1, 1)}, Workload(8, 1, 1), 2) == pytest.approx(10)


def test_a_commit_among_others_takes_longer() -> None:
    costs = {**NOTHING, "object": Cost(commit=2)}
    assert predict(costs, Workload(6, 1, 1), 2, contention=1.5) == pytest.approx(18)
    assert predict(costs, Workload(6, 1, 1), 3, contention=1.5) == pytest.approx(24)
    assert predict(costs, Workload(6, 1, 1), 1, contention=1.5) == pytest.approx(12)


def test_no_more_cpu_than_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scaling, "CORES", 2)
    costs = {**NOTHING, "object": Cost(outside=1, cpu=0.5, database=0.5)}
    assert predict(costs, Workload(8, 1, 1), 8) == pytest.approx(4)


def test_limits_are_computed_by_hand() -> None:
    """An object of 100 MB: a second from S3, half a second in the commit, 0.2 s of PostgreSQL's CPU."""
    costs = {**NOTHING, "object": Cost(outside=0.1, commit=0.5, database=0.2)}
    objects = [86_400 / 0.6, 10 * 86_400 / 1.6, 16 * 0.25 * 86_400 / 0.2]
    assert limits(costs, 1.2, 100, 10) == pytest.approx([0.6, *(100e6 * each / 1e12 for each in objects)])


def test_it_assumes_what_prod_has() -> None:
    context = json.loads((Path(__file__).parents[3] / "cdk.json").read_text(encoding="utf-8"))
    assert f'"maximum_acu": {scaling.ACU},' in json.dumps(context)
    assert ProcessorParameters().maximum_concurrency == scaling.PROCESSORS


def test_no_run_that_is_checked_has_a_part_in_the_costs() -> None:
    assert not {*CALIBRATION.values(), *CONTENDED} & {workload for workload, _ in CHECKS}


def test_the_page_takes_the_figures_and_marks_what_is_full_first() -> None:
    written = rewritten(
        PAGE.read_text(encoding="utf-8"), figures(KNOWN, 1.2, [(Workload(2, 1_000, 10), 2, 1.0, 1.1)])
    )
    assert "| 2 | 1,000 | 10 | 2 | 1.00 | 1.10 | +10% |" in written
    rows = re.findall(r"^\| ([\d,]+, [\d,]+) \|.*$", written, re.MULTILINE)
    assert rows == list(starmap("{:,}, {:,}".format, scaling.OBJECTS))
    assert written.count("**") >= 2 * len(rows)


def test_the_page_has_measured_runs_within_the_tolerance() -> None:
    rows = re.findall(
        r"\| (\d+) \| ([\d.]+) \| ([\d.]+) \| ([+-]\d+)% \|$", PAGE.read_text("utf-8"), re.MULTILINE
    )
    assert [int(processes) for processes, *_ in rows] == [processes for _, processes in CHECKS]
    for _, measured, computed, off in rows:
        assert abs(int(off)) <= 100 * scaling.TOLERANCE
        assert int(off) == pytest.approx(100 * (float(computed) / float(measured) - 1), abs=2)
