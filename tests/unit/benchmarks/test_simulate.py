"""The simulation, where the answer is known without it."""

import pytest

from benchmarks.scaling.simulate import Phase, simulate

IDLE = Phase(0.0, 0.0, 0.0)


def phase(seconds: float, cpu: float) -> Phase:
    return Phase(seconds, cpu / 2, cpu / 2)


def test_one_process_takes_the_sum() -> None:
    assert simulate(phase(2, 2), phase(1, 1), [5], cores=2) == pytest.approx(15)


def test_reads_run_side_by_side_until_the_cores_are_full() -> None:
    read = phase(1, 1)
    assert simulate(read, IDLE, [4, 4], cores=2) == pytest.approx(4)
    assert simulate(read, IDLE, [4, 4, 4, 4], cores=2) == pytest.approx(8)


def test_waiting_needs_no_core() -> None:
    assert simulate(phase(1, 0), IDLE, [4, 4, 4, 4], cores=1) == pytest.approx(4)


def test_commits_take_turns() -> None:
    assert simulate(IDLE, phase(1, 0.1), [3, 3], cores=2) == pytest.approx(6)


def test_reading_goes_on_while_another_commits() -> None:
    # The first reads 1 and commits 1; from then on somebody always commits: 1 + 4 * 1.
    assert simulate(phase(1, 0.5), phase(1, 0.5), [2, 2], cores=2) == pytest.approx(5)


def test_a_process_without_objects_does_nothing() -> None:
    assert simulate(phase(1, 1), IDLE, [2, 0], cores=2) == pytest.approx(2)
    assert simulate(phase(1, 1), IDLE, [], cores=2) == 0
