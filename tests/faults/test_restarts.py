"""PostgreSQL really stopped and started again, and connections really cut, at every point of an ingest."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import psutil
import pytest
import sqlalchemy as sa

from local import postgres
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from migrate import schema
from processor.ingest import Ingestor
from processor.ledger import merge
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore
from tests import oracle, tables
from tests.faults.conftest import LINES
from tests.faults.runner import Countdown, cut, interrupted, pause_within_commit
from tests.ingests import ingest, log_file
from tests.logs import as_bytes, random_lines

DURABLE = "wal_level = replica\nsynchronous_commit = on\nfsync = off\n"
"""Its log outlives the server, as in production; that it outlives the machine too would only make restarts slow."""


@dataclass
class Restartable:
    """A server that can be restarted, and an ingestor.

    Attributes
    ----------
    before
        Called while the server is down.
    """

    server: EmbeddedPostgres
    ingestor: Ingestor
    before: Callable[[], object] = lambda: None
    restarts: int = 0

    @property
    def engine(self) -> sa.Engine:
        return self.ingestor.engine

    def restart(self) -> None:
        """PostgreSQL's immediate shutdown, as after a crash: sessions end, the log is replayed at the start."""
        postmaster = int((self.server.folder / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGQUIT)
        psutil.wait_procs([psutil.Process(postmaster)], timeout=60)
        self.before()
        for tries_left in reversed(range(5)):
            try:
                postgres.start(self.server.folder)
            except (subprocess.TimeoutExpired, AssertionError):  # a busy machine; it goes on starting
                if not tries_left:
                    raise
            else:
                break
        self.restarts += 1

    @contextmanager
    def restarted_before(self, statement: str) -> Iterator[None]:
        """Restart once before a statement that contains these words; "COMMIT" is the commit's own, "COPY" within that of the merge."""

        def on_statement(connection: sa.Connection, _cursor: Any, text: str, *_: Any) -> None:  # noqa: ANN401 - SQLAlchemy's, whatever it is
            if statement in text and not self.restarts:
                self.restart()

        def on_commit(connection: sa.Connection) -> None:
            if statement != "COMMIT" or self.restarts:
                return
            if connection.scalar(sa.text("SELECT count(*) FROM log_objects WHERE attempt_id > 0")):
                self.restart()

        sa.event.listen(self.engine, "before_cursor_execute", on_statement)

        def on_copy(_: sa.Connection) -> None:
            if statement == "COPY" and not self.restarts:
                self.restart()

        sa.event.listen(self.engine, "commit", on_commit)
        with mock.patch.object(merge, "_copied", interrupted(on_copy)):
            yield
        sa.event.remove(self.engine, "before_cursor_execute", on_statement)
        sa.event.remove(self.engine, "commit", on_commit)

    @contextmanager
    def restarted_within_commit(self, waiting_for: str) -> Iterator[None]:
        """Restart while the server works on a COMMIT, and waits for something (PostgreSQL's wait event)."""
        watching = sa.create_engine(self.engine.url, poolclass=sa.NullPool)
        busy = sa.text(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE state = 'active' AND query = 'COMMIT' AND wait_event = :waiting_for"
        ).bindparams(waiting_for=waiting_for)

        def watch() -> None:
            deadline = time.monotonic() + 60
            with watching.connect() as connection:
                while not connection.scalar(busy) and time.monotonic() < deadline:
                    connection.rollback()
                    time.sleep(0.01)
            self.restart()

        thread = threading.Thread(target=watch)
        thread.start()
        yield
        thread.join()


@pytest.fixture(scope="module")
def restartable(postgres_folder: Path) -> Iterator[EmbeddedPostgres]:
    """A server of this module's own; its `migrated` database is a template."""
    server = postgres.start(postgres_folder / "restarted", DURABLE)
    try:
        server.create_database("migrated")
        engine = create_engine(server.settings("migrated"))
        schema.upgrade(engine)
        engine.dispose()
        yield server
    finally:
        server.stop()


@pytest.fixture
def running(restartable: EmbeddedPostgres, tmp_path: Path) -> Iterator[Restartable]:
    """A database of the test's own, on that server."""
    name = f"restarted_{time.monotonic_ns()}"
    restartable.create_database(name, template="migrated")
    engine = create_engine(restartable.settings(name))
    yield Restartable(restartable, Ingestor(engine, LocalRejectStore(tmp_path / "rejected"), workers=1))
    engine.dispose()


def assert_counts_once(running: Restartable, log: LocalFile) -> None:
    assert running.restarts == 1
    assert running.ingestor.ingest_file(log).outcome == "unchanged"
    tables.check(running.engine, LINES)


@pytest.mark.parametrize("statement", ["COPY", "INSERT INTO daily_statistics", "INSERT INTO customers"])
def test_a_restart_within_a_merge_is_survived(running: Restartable, tmp_path: Path, statement: str) -> None:
    """Of days that have statistics."""
    lines = [random_lines(seed, 200) for seed in range(2)]
    logs = [log_file(tmp_path / f"{number}.log", each) for number, each in enumerate(lines)]
    assert running.ingestor.ingest_file(logs[0]).outcome == "ingested"
    with running.restarted_before(statement):
        assert running.ingestor.ingest_file(logs[1]).outcome == "ingested"
    assert running.restarts == 1
    tables.check(running.engine, lines[0] + lines[1])


@pytest.mark.parametrize("statement", ["INSERT INTO attempts", "INSERT INTO daily_statistics", "COMMIT"])
def test_a_restart_between_statements_is_survived(
    running: Restartable, log: LocalFile, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    with running.restarted_before(statement):
        assert running.ingestor.ingest_file(log).outcome == "ingested"
    assert "The database connection was lost; trying again" in caplog.text
    assert_counts_once(running, log)


def test_a_restart_before_a_commit_takes_effect_is_survived(running: Restartable, log: LocalFile) -> None:
    """The server is within COMMIT, in a deferred trigger that takes its time until the restart."""
    with running.engine.connect() as connection:
        started = connection.scalar(sa.text("SELECT pg_postmaster_start_time()::text"))
    until_restart = f"IF pg_postmaster_start_time() = '{started}' THEN PERFORM pg_sleep(60); END IF;"
    pause_within_commit(running.engine, until_restart)
    with running.restarted_within_commit("PgSleep"):
        assert running.ingestor.ingest_file(log).outcome == "ingested"
    assert_counts_once(running, log)


def test_a_restart_after_a_commit_took_effect_is_noticed(running: Restartable, log: LocalFile) -> None:
    """COMMIT has been written, but is not answered: the server waits for a standby that does not exist."""
    waited: list[bool] = []

    def wait_for_a_standby(connection: sa.Connection) -> None:
        if not waited and connection.scalar(sa.text("SELECT count(*) FROM log_objects WHERE attempt_id > 0")):
            with side.connect() as other:
                other.execute(sa.text("ALTER SYSTEM SET synchronous_standby_names = 'nobody'"))
                other.execute(sa.text("SELECT pg_reload_conf()"))
            waited.append(True)
            time.sleep(0.5)  # the session reads it before its next statement

    def forget_standby() -> None:
        configuration = running.server.folder / "postgresql.auto.conf"
        configuration.write_text(configuration.read_text().replace("'nobody'", "''"))

    side = sa.create_engine(running.engine.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    running.before = forget_standby
    sa.event.listen(running.engine, "commit", wait_for_a_standby)
    with running.restarted_within_commit("SyncRep"):
        assert running.ingestor.ingest_file(log).outcome == "unchanged"
    sa.event.remove(running.engine, "commit", wait_for_a_standby)
    assert_counts_once(running, log)


def test_a_restart_while_the_log_is_read_is_survived(running: Restartable, log: LocalFile) -> None:
    def restart(_: int) -> None:
        if not running.restarts:
            running.restart()

    assert replace(running.ingestor, progress=restart).ingest_file(log).outcome == "ingested"
    assert_counts_once(running, log)


def test_a_connection_cut_before_any_statement_or_commit_is_survived(
    database: DatabaseSettings, ingestor: Ingestor, tmp_path: Path
) -> None:
    """One after the other, every statement of an ingest that replaces, with rejected lines."""
    side = create_engine(database, isolation_level="AUTOCOMMIT")
    countdown, happened = Countdown(ingestor.engine), []

    def end(connection: sa.Connection) -> None:
        happened.append(number)
        cut(side, connection)

    path = tmp_path / "a.log"
    for number in range(200):
        lines = random_lines(number, 200)
        countdown.arm(number, end)
        assert ingest(ingestor, path, as_bytes(lines) + b"broken\n").outcome in (
            "ingested",
            "replaced",
            "unchanged",
        )
        countdown.arm(-1, None)
        assert tables.statistics(ingestor.engine) == oracle.statistics(lines)
        if happened != list(range(number + 1)):
            break
    ingest(ingestor, path, b"")
    tables.check(ingestor.engine)
    assert len(happened) > 20
    print(f"cut before each of {len(happened)} statements")
    side.dispose()
