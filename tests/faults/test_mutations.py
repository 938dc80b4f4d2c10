"""Does the harness notice a broken protocol? Run with `make test-mutations`."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import Phase

from logstats.settings import DatabaseSettings
from tests.faults import breakages, schedule
from tests.faults.concurrent import ingest_at_once
from tests.faults.runner import Runner
from tests.faults.test_protocol import make_machine, run

Breakage = Callable[[], AbstractContextManager[None]]

pytestmark = [
    # A cursor of a lost connection says so when it is collected.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
    pytest.mark.mutations,
    pytest.mark.timeout(900),
]


@pytest.fixture
def runner(database: DatabaseSettings, tmp_path: Path) -> Iterator[Runner]:
    runner = Runner(database, tmp_path)
    yield runner
    runner.close()


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
    assert not notices(runner, range(100))


@pytest.mark.parametrize(
    "breakage",
    [
        breakages.no_ledger_check,
        breakages.no_subtraction,
        breakages.two_transactions,
        breakages.wrong_sequencer_comparison,
    ],
)
def test_the_schedules_notice(runner: Runner, breakage: Breakage) -> None:
    with breakage():
        assert notices(runner, range(100))


def test_concurrent_ingests_notice_a_reversed_lock_order(engine: sa.Engine, tmp_path: Path) -> None:
    with breakages.reversed_lock_order(), pytest.raises(sa.exc.OperationalError, match="deadlock detected"):
        ingest_at_once(engine.url, tmp_path, files=8, lines=200)


@pytest.mark.parametrize(
    "breakage",
    [
        breakages.no_ledger_check,
        breakages.no_subtraction,
        breakages.wrong_sequencer_comparison,
        breakages.tombstone_without_sequencer,
        breakages.any_versions_deletion_withdraws,
        breakages.confirmation_ignored,
        breakages.unchanged_does_not_advance,
        breakages.late_events_undo_a_withdrawal,
        breakages.withdrawn_versions_come_again,
        breakages.abandoned_attempts_stay,
    ],
)
def test_the_state_machine_notices(engine: sa.Engine, tmp_path: Path, breakage: Breakage) -> None:
    machine = make_machine(engine, tmp_path)
    with breakage(), pytest.raises(AssertionError):
        run(machine, 300, 30, phases=[Phase.generate], derandomize=True, report_multiple_bugs=False)
