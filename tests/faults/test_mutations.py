"""Does the harness notice a broken protocol? Run with `make test-mutations`."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import Phase

from tests.faults import schedule
from tests.faults.breakages import MERGES, NAMES, broken
from tests.faults.concurrent import ingest_in_threads, write
from tests.faults.runner import Runner
from tests.faults.test_protocol import make_machine, run

pytestmark = [pytest.mark.mutations, pytest.mark.timeout(900)]


def notices(runner: Runner, seeds: range) -> bool:
    """Whether a schedule goes wrong, or stops with an error."""
    try:
        for seed in seeds:
            runner.run(schedule.make(seed, kill=False))
            if seed % 10 == 9 and (found := runner.differences()):
                print(f"noticed after {seed + 1} schedules: {len(found)} differences")
                return True
    except Exception as error:  # noqa: BLE001 - a broken protocol may break in any way
        print(f"noticed: {type(error).__name__}: {error}")
        return True
    return False


def test_the_protocol_as_it_is_passes(runner: Runner) -> None:
    assert not notices(runner, range(50))


@pytest.mark.parametrize("breakage", [*NAMES[:4], *MERGES])
def test_the_schedules_notice(runner: Runner, breakage: str) -> None:
    with broken(breakage):
        assert notices(runner, range(50))


def test_concurrent_ingests_notice_a_reversed_lock_order(engine: sa.Engine, tmp_path: Path) -> None:
    with broken(NAMES[4]), pytest.raises(sa.exc.OperationalError, match="deadlock detected"):
        ingest_in_threads(engine.url, write(tmp_path, 8, 200))


@pytest.mark.parametrize("breakage", [*NAMES[:2], NAMES[3], *NAMES[5:]])
def test_the_state_machine_notices(engine: sa.Engine, tmp_path: Path, breakage: str) -> None:
    machine = make_machine(engine, tmp_path)
    with broken(breakage), pytest.raises(AssertionError):
        run(machine, 1_000, 30, phases=[Phase.generate], derandomize=True, report_multiple_bugs=False)
