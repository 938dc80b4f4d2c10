"""The simulation, where the answer is known without it."""

import pytest

from benchmarks.scaling.simulate import IDEAL, Phase, Sharing, simulate

IDLE = [Phase(0.0, 0.0, 0.0)] * 16


def phase(seconds: float, cpu: float) -> Phase:
    return Phase(seconds, cpu / 2, cpu / 2)


def test_one_process_takes_the_sum() -> None:
    assert simulate(phase(2, 2), [phase(1, 1)] * 5, [5], cores=2) == pytest.approx(15)


def test_each_commit_takes_what_it_takes_in_their_order() -> None:
    growing = [phase(1, 1), phase(2, 2), phase(4, 4)]
    assert simulate(phase(1, 1), growing, [3], cores=2) == pytest.approx(3 + 1 + 2 + 4)
    # The three have read at 1, and commit one after the other, whoever they are.
    assert simulate(phase(1, 0.1), growing, [1, 1, 1], cores=2) == pytest.approx(1 + 1 + 2 + 4)


def test_reads_run_side_by_side_until_the_cores_are_full() -> None:
    read = phase(1, 1)
    assert simulate(read, IDLE, [4, 4], cores=2) == pytest.approx(4)
    assert simulate(read, IDLE, [4, 4, 4, 4], cores=2) == pytest.approx(8)


def test_waiting_needs_no_core() -> None:
    assert simulate(phase(1, 0), IDLE, [4, 4, 4, 4], cores=1) == pytest.approx(4)


def test_commits_take_turns() -> None:
    nothing = Phase(0.0, 0.0, 0.0)
    assert simulate(nothing, [phase(1, 0.1)] * 6, [3, 3], cores=2) == pytest.approx(6)


def test_reading_goes_on_while_another_commits() -> None:
    # The first reads 1 and commits 1; from then on somebody always commits: 1 + 4 * 1.
    assert simulate(phase(1, 0.5), [phase(1, 0.5)] * 4, [2, 2], cores=2) == pytest.approx(5)


def test_the_lock_goes_to_whoever_asked_first() -> None:
    # Reading takes 1; of three that ask at 1 the first commits until 4, then reads until 5 and is behind the others.
    # 1 + 4 commits of 3 without a pause.
    assert simulate(phase(1, 0.1), [phase(3, 0.1)] * 4, [2, 1, 1], cores=4) == pytest.approx(13)


def test_a_commit_slows_down_when_the_cores_are_full() -> None:
    # One core. Both read 1 at half speed until 2. One commits alone, 1 s, until 3; then the other, until 4.
    assert simulate(phase(1, 1), [phase(1, 1)] * 2, [1, 1], cores=1) == pytest.approx(4)
    # With another object for the first it reads while the second commits, each at half speed: 3 to 5; then commits.
    assert simulate(phase(1, 1), [phase(1, 1)] * 3, [2, 1], cores=1) == pytest.approx(6)


def test_what_is_measured_of_sharing_counts() -> None:
    sharing = Sharing(((0.5, 1.0), (1.0, 1.2), (2.0, 3.0)))
    assert simulate(phase(1, 0.5), IDLE, [2], cores=1, sharing=sharing) == pytest.approx(2)
    assert simulate(phase(1, 1), IDLE, [2], cores=1, sharing=sharing) == pytest.approx(2 * 1.2)
    assert simulate(phase(1, 0.75), IDLE, [2], cores=1, sharing=sharing) == pytest.approx(2 * 1.1)
    assert simulate(phase(1, 1), IDLE, [2, 2], cores=1, sharing=sharing) == pytest.approx(2 * 3)
    assert simulate(phase(1, 1), IDLE, [2, 2], cores=2, sharing=sharing) == pytest.approx(2 * 1.2)
    # Beyond what was measured in proportion to what is wanted.
    assert simulate(phase(1, 1), IDLE, [2, 2, 2, 2], cores=1, sharing=sharing) == pytest.approx(2 * 6)


def test_a_commit_among_others_takes_longer_than_one_alone() -> None:
    sharing = Sharing(((2.0, 1.0),), commit=1.5)
    assert simulate(phase(1, 1), [phase(2, 2)] * 2, [2], cores=2, sharing=sharing) == pytest.approx(6)
    # Both read until 1. One commits, alone. When it reads again, the other commits: 1 at two thirds of its speed, until
    # the read is done; the third's commit then waits for what is left.
    commits = [phase(2, 2)] * 3
    assert simulate(phase(1, 1), commits, [2, 1], cores=2, sharing=sharing) == pytest.approx(
        1 + 2 + 1 + (2 - 1 / 1.5) + 2
    )


def test_ideal_cores_slow_nothing_down_before_they_are_full() -> None:
    assert [IDEAL.slowdown(wanted) for wanted in (0, 0.5, 1, 1.5, 4)] == [1, 1, 1, 1.5, 4]


def test_a_process_without_objects_does_nothing() -> None:
    assert simulate(phase(1, 1), IDLE, [2, 0], cores=2) == pytest.approx(2)
    assert simulate(phase(1, 1), IDLE, [], cores=2) == 0
