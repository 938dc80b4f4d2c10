"""Random schedules of deliveries and faults: the tables end up as the oracle says, whatever happens.

A failure prints the schedule and its seed. Run one seed with FAULTS_SEED=N, and others than the first 50 with
FAULTS_FIRST=N and FAULTS_SCHEDULES=N.
"""

import os

import pytest

from tests.faults import schedule
from tests.faults.runner import Runner


def run(runner: Runner, seeds: range) -> None:
    for seed in seeds:
        runner.run(schedule.make(seed, kill=seed % 4 == 0))
    wrong = runner.differences()
    assert not wrong, f"{len(wrong)} of {len(seeds)} schedules differ:\n" + "\n".join(wrong[:3])
    assert runner.faults or len(seeds) < 20


@pytest.mark.timeout(300)
@pytest.mark.parametrize("half", [0, 1])  # for `pytest -n 2`
def test_random_schedules(runner: Runner, half: int) -> None:
    if seed := os.environ.get("FAULTS_SEED"):
        run(runner, range(int(seed), int(seed) + 1))
        return
    first, count = int(os.environ.get("FAULTS_FIRST", "0")), int(os.environ.get("FAULTS_SCHEDULES", "50"))
    middle = first + count // 2
    run(runner, range(middle, first + count) if half else range(first, middle))


@pytest.mark.nightly
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("part", range(20))
def test_ten_thousand_random_schedules(runner: Runner, part: int) -> None:
    run(runner, range(500 * part, 500 * (part + 1)))
