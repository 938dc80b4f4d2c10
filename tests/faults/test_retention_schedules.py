"""Deliveries and runs of the retention in random order, at once, and cut off anywhere: the end is always the same.

What would have to subtract from a sealed day is refused, and changes nothing. FAULTS_RETENTION_FIRST and FAULTS_RETENTION_SCHEDULES run
others than the first 40.
"""

import datetime as dt
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
from logstats.models import Base, LogObject
from logstats.settings import DatabaseSettings
from processor.ledger import attempts, commit, customers, withdrawal
from processor.ledger.horizon import SealedError, ranges_of
from processor.ledger.verify import Verification
from processor.retention import expiry
from tests import oracle, tables
from tests.faults import expiring
from tests.faults.expiring import Expiring, Run
from tests.faults.runner import Countdown, Runner, _die, wired
from tests.faults.schedule import Event

EMPTY = f"""
TRUNCATE {", ".join(Base.metadata.tables)};
INSERT INTO retention (id, horizon) VALUES (1, '1970-01-01')
"""


@contextmanager
def small_transactions() -> Iterator[None]:
    """There are many moments between two of them then."""
    with mock.patch.object(expiry, "_PAUSE_SECONDS", 0.05), mock.patch.object(expiry, "_CUSTOMERS", 2):
        yield


def expire_and_die(database: str, run: Run) -> None:
    """In a process of its own: SIGKILL before a statement."""
    engine = create_engine(DatabaseSettings(url=database, tls="disable", iam_auth=False))
    Countdown(engine).arm(run.at, _die)
    with small_transactions():
        expiry.expire(engine, run.horizon, run.sealed)


class ExpiringRunner(Runner):
    """Runs schedules; after each, the whole database must be that schedule's."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self._processes.set_forkserver_preload(["tests.faults.test_retention_schedules"])
        self._expiring = create_engine(self.database)
        self._cutting = Countdown(self._expiring)
        self.cut = self.refused = 0
        self._accepted: set[Event] = set()
        self._wrong: list[str] = []

    def close(self) -> None:
        super().close()
        self._expiring.dispose()

    def run_expiring(self, schedule: Expiring) -> list[str]:
        """Run a schedule in an empty database; return what is wrong."""
        self._schedule, self._wrong, self._accepted = schedule, [], set()
        self._horizon = self._sealed = dt.date(1970, 1, 1)
        for event in schedule.deliveries.uploads:
            assert self.bucket.put(event.key, event.data) == event.version
        with wired(self.bucket), small_transactions(), ThreadPoolExecutor(1) as thread:
            for step, run in schedule.steps:
                self._alone = run is None and step.fault == "none" and len(step.events) == 1
                self._sealed = max([self._sealed, *([run.sealed, run.horizon] if run else [])])
                running = thread.submit(self._expire, run) if run else None
                self._step(step)
                if running and run:
                    running.result(60)
                    self._horizon = max(self._horizon, run.horizon)
            with self.engine.connect() as connection:
                while attempts.garbage_collect(connection, self._ingestor.rejects):
                    pass
            self._expire(Run(schedule.horizon, self._sealed))
        self._wrong += [f"{name} differ" for name, right in self._verdicts(schedule) if not right]
        with self.engine.begin() as connection:
            connection.exec_driver_sql(EMPTY)
        return [f"{wrong}:\n{schedule}" for wrong in self._wrong]

    def _deliver(self, event: Event) -> None:
        before = self._everything() if self._alone else None
        try:
            super()._deliver(event)
        except SealedError:
            self.refused += 1
            if not self._schedule.may_refuse(event, self._horizon, self._sealed):
                self._wrong.append(f"{event.key}@{event.sequencer} was refused")
            if before is not None and self._everything() != before:
                self._wrong.append(f"{event.key}@{event.sequencer} was refused, and has changed something")
        else:
            self._accepted.add(event)

    def _everything(self) -> object:
        with self.engine.connect() as connection:
            ledger = connection.execute(sa.select(LogObject.__table__).order_by("id")).all()
        return tables.merged_rows(self.engine), ledger, tables.revisions(self.engine)

    def _expire(self, run: Run) -> None:
        try:
            if run.fault == "kill":
                victim = self._processes.Process(target=expire_and_die, args=(self.database.url, run))
                victim.start()
                victim.join()
                self.killed += victim.exitcode == -signal.SIGKILL
            elif run.fault == "cut":
                self._cutting.arm(run.at, self._cut)
                expiry.expire(self._expiring, run.horizon, run.sealed)
        except sa.exc.DBAPIError:
            self.cut += 1
        self._cutting.arm(-1, None)
        if run.left and run.fault != "none":  # but let the horizon be known
            expiry._advance(self._expiring, run.horizon, run.sealed)
        else:
            expiry.expire(self._expiring, run.horizon, run.sealed)

    def _verdicts(self, schedule: Expiring) -> Iterator[tuple[str, bool]]:
        expected = schedule.expected(self._accepted)
        yield "statistics", tables.statistics(self.engine) == expected
        yield "customers", tables.customers(self.engine) == oracle.customers(expected)
        yield "verified", not list(Verification(self.engine).differences())
        yield "leftovers", not any(tables.leftovers(self.engine).values())
        with self.engine.connect() as connection:
            sealed = sa.text("SELECT count(*) FROM contributions WHERE date < (SELECT sealed FROM retention)")
            yield "sealed contributions", connection.scalar(sealed) == 0
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
        if found := runner.run_expiring(expiring.make(seed, kill=kill and seed % 10 == 0)):
            return found
    return []


@pytest.mark.timeout(600)
def test_random_schedules_with_runs_of_the_retention(runner: ExpiringRunner) -> None:
    first = int(os.environ.get("FAULTS_RETENTION_FIRST", "0"))
    count = int(os.environ.get("FAULTS_RETENTION_SCHEDULES", "20"))
    found = wrong(runner, range(first, first + count))
    assert not found, "\n".join(found)
    assert (runner.killed and runner.cut and runner.refused) or count < 20


@pytest.mark.nightly
@pytest.mark.timeout(7_200)
@pytest.mark.parametrize("part", range(20))
def test_ten_thousand_random_schedules_with_runs_of_the_retention(runner: ExpiringRunner, part: int) -> None:
    found = wrong(runner, range(500 * part, 500 * (part + 1)))
    assert not found, "\n".join(found)


def unchecked(*_: object) -> None:
    """Let everything be subtracted."""


BREAKAGES: dict[str, Callable[[], AbstractContextManager[object]]] = {
    "a replacement subtracts from sealed days": lambda: mock.patch.object(
        commit, "check_subtractable", unchecked
    ),
    "a withdrawal does": lambda: mock.patch.object(withdrawal, "check_subtractable", unchecked),
    "customers do not follow": lambda: mock.patch.object(customers, "recount", return_value=0),
    "days that count are forgotten": lambda: mock.patch.object(
        commit, "ranges_of", return_value=ranges_of([])
    ),
    "every day counts as sealed": lambda: mock.patch.object(attempts, "is_unsealed", return_value=sa.false()),
}


@pytest.mark.mutations
@pytest.mark.timeout(240)
@pytest.mark.parametrize("breakage", BREAKAGES)
def test_the_schedules_notice(runner: ExpiringRunner, breakage: str) -> None:
    with BREAKAGES[breakage]():
        try:
            found = wrong(runner, range(200), kill=False)
        except Exception as error:  # noqa: BLE001 - a broken protocol may break in any way
            found = [f"{type(error).__name__}: {error}"]
    assert found
