"""Deliveries and runs of the retention in random order, at once, and cut off anywhere: the end is always the same.

FAULTS_RETENTION_FIRST and FAULTS_RETENTION_SCHEDULES run others than the first 30.
"""

import os
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa

from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from processor.ledger import attempts, customers, merge
from processor.retention import expiry
from tests import oracle, tables
from tests.faults import expiring
from tests.faults.expiring import Expiring, Run
from tests.faults.runner import Countdown, Runner, _die, wired


@contextmanager
def small_transactions() -> Iterator[None]:
    """There are many moments between two of them then."""
    with mock.patch.object(expiry, "_ROWS", 3), mock.patch.object(expiry, "_CUSTOMERS", 2):
        yield


def expire_and_die(database: str, run: Run) -> None:
    """In a process of its own: SIGKILL before a statement."""
    engine = create_engine(DatabaseSettings(url=database, tls="disable", iam_auth=False))
    Countdown(engine).arm(run.at, _die)
    with small_transactions():
        expiry.expire(engine, run.horizon)


class ExpiringRunner(Runner):
    """Runs schedules; after each, the whole database must be that schedule's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._processes.set_forkserver_preload(["tests.faults.test_retention_schedules"])
        self._expiring = create_engine(self.database)
        self._cutting = Countdown(self._expiring)
        self.cut = 0

    def close(self) -> None:
        super().close()
        self._expiring.dispose()

    def run_expiring(self, schedule: Expiring) -> list[str]:
        """Run a schedule; return what is wrong."""
        expiry.expire(self.engine, schedule.first_day)
        for event in schedule.deliveries.uploads:
            assert self.bucket.put(event.key, event.data) == event.version
        with wired(self.bucket), small_transactions(), ThreadPoolExecutor(1) as thread:
            for step, run in schedule.steps:
                running = thread.submit(self._expire, run) if run else None
                self._step(step)
                if running:
                    running.result(60)
            self._expire(Run(schedule.horizon))
        with self.engine.connect() as connection:
            while attempts.garbage_collect(connection, self._ingestor.rejects):
                pass
        return [f"{name} differ:\n{schedule}" for name, right in self._verdicts(schedule) if not right]

    def _expire(self, run: Run) -> None:
        try:
            if run.fault == "kill":
                victim = self._processes.Process(target=expire_and_die, args=(self.database.url, run))
                victim.start()
                victim.join()
                self.killed += victim.exitcode == -signal.SIGKILL
            elif run.fault == "cut":
                self._cutting.arm(run.at, self._cut)
                expiry.expire(self._expiring, run.horizon)
        except sa.exc.DBAPIError:
            self.cut += 1
        self._cutting.arm(-1, None)
        if run.left and run.fault != "none":  # but let the horizon be known
            expiry._advance(self._expiring, run.horizon)
        else:
            expiry.expire(self._expiring, run.horizon)

    def _verdicts(self, schedule: Expiring) -> Iterator[tuple[str, bool]]:
        expected = schedule.expected()
        yield "statistics", tables.statistics(self.engine) == expected
        yield "customers", tables.customers(self.engine) == oracle.customers(expected)
        yield "leftovers", not any(tables.leftovers(self.engine).values())
        with self.engine.connect() as connection:
            closed = sa.text(
                "SELECT count(*) FROM contributions WHERE date < (SELECT horizon FROM retention)"
            )
            yield "closed contributions", connection.scalar(closed) == 0
            sums = sa.text(
                "SELECT count(*) FROM log_objects WHERE lines <> accepted + rejected OR expired > accepted"
                " OR accepted - expired < (SELECT coalesce(sum(total_requests), 0) FROM contributions"
                "  WHERE contributions.attempt_id = log_objects.attempt_id)"
            )
            yield "ledger", connection.scalar(sums) == 0


@pytest.fixture
def runner(database: DatabaseSettings, tmp_path: Path) -> Iterator[ExpiringRunner]:
    runner = ExpiringRunner(database, tmp_path)
    yield runner
    runner.close()


def wrong(runner: ExpiringRunner, seeds: range, *, kill: bool = True) -> list[str]:
    """The problems of the first schedule that has some."""
    for seed in seeds:
        if found := runner.run_expiring(expiring.make(seed, kill=kill and seed % 3 == 0)):
            return found
    return []


@pytest.mark.timeout(300)
def test_random_schedules_with_runs_of_the_retention(runner: ExpiringRunner) -> None:
    first = int(os.environ.get("FAULTS_RETENTION_FIRST", "0"))
    count = int(os.environ.get("FAULTS_RETENTION_SCHEDULES", "30"))
    found = wrong(runner, range(first, first + count))
    assert not found, "\n".join(found)
    assert (runner.killed and runner.cut) or count < 30


@pytest.mark.nightly
@pytest.mark.timeout(7_200)
def test_two_thousand_random_schedules_with_runs_of_the_retention(runner: ExpiringRunner) -> None:
    assert wrong(runner, range(2_000)) == []


def always(_: object) -> sa.ColumnElement[bool]:
    return sa.true()


BREAKAGES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "closed lines are added": lambda: mock.patch.object(merge, "is_open", always),
    "customers count closed lines": lambda: mock.patch.object(customers, "is_open", always),
    "contributions of closed days stay": lambda: mock.patch.object(attempts, "discard_closed"),
    "customers are not told": lambda: mock.patch.object(customers, "shrink", return_value=0),
}


@pytest.mark.mutations
@pytest.mark.timeout(240)
@pytest.mark.parametrize("breakage", BREAKAGES)
def test_the_schedules_notice(runner: ExpiringRunner, breakage: str) -> None:
    with BREAKAGES[breakage]():
        try:
            found = wrong(runner, range(60), kill=False)
        except Exception as error:  # noqa: BLE001 - a broken protocol may break in any way
            found = [f"{type(error).__name__}: {error}"]
    assert found
