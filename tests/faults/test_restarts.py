"""PostgreSQL really stopped and started again, and connections really cut, at every point of an ingest."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import sqlalchemy as sa

from local import postgres
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from migrate import schema
from processor.ingest import Ingestor
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore
from tests import oracle, tables
from tests.faults.runner import Countdown, cut
from tests.logs import as_bytes, random_lines

# A cursor of a lost connection says so when it is collected.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

LINES = random_lines(1, 2_000)
DURABLE = "wal_level = replica\nsynchronous_commit = on\n"


def log_in(folder: Path, name: str = "a.log") -> LocalFile:
    path = folder / name
    path.write_bytes(as_bytes(LINES))
    return LocalFile.at(path)


@dataclass
class Restartable:
    """A server of its own, which writes to disk as one in production does."""

    server: EmbeddedPostgres
    engine: sa.Engine
    restarts: int = 0

    def restart(self) -> None:
        """PostgreSQL's immediate shutdown, as after a crash: sessions end, the log is replayed at the start."""
        postmaster = int((self.server.folder / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGQUIT)
        psutil.wait_procs([psutil.Process(postmaster)], timeout=60)
        for tries_left in reversed(range(5)):
            try:
                postgres.start(self.server.folder)
            except subprocess.TimeoutExpired:  # a busy machine; it goes on starting
                if not tries_left:
                    raise
            else:
                break
        self.restarts += 1

    @contextmanager
    def restarted_before(self, statement: str) -> Iterator[None]:
        """Restart once before a statement that contains these words; "COMMIT" is the commit's own."""

        def on_statement(connection: sa.Connection, _cursor: Any, text: str, *_: Any) -> None:  # noqa: ANN401
            if statement in text and not self.restarts:
                self.restart()

        def on_commit(connection: sa.Connection) -> None:
            if statement != "COMMIT" or self.restarts:
                return
            if connection.scalar(sa.text("SELECT count(*) FROM log_objects WHERE attempt_id > 0")):
                self.restart()

        sa.event.listen(self.engine, "before_cursor_execute", on_statement)
        sa.event.listen(self.engine, "commit", on_commit)
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


@pytest.fixture
def database_server(postgres_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Restartable]:
    monkeypatch.setattr(
        "processor.reconnection._PAUSES", (0.5, 2.0, 5.0, 10.0)
    )  # a busy machine starts slowly
    server = postgres.start(postgres_folder / f"restarted-{time.monotonic_ns()}", DURABLE)
    try:
        server.create_database("logstats")
        engine = create_engine(server.settings())
        schema.upgrade(engine)
        yield Restartable(server, engine)
        engine.dispose()
    finally:
        server.stop()


def assert_counts_once(running: Restartable, folder: Path, outcome: str) -> None:
    ingestor = Ingestor(running.engine, LocalRejectStore(folder / "rejected"), workers=1)
    assert running.restarts == 1
    assert ingestor.ingest_file(log_in(folder)).outcome == outcome
    assert tables.statistics(running.engine) == oracle.statistics(LINES)
    assert set(tables.leftovers(running.engine).values()) == {0}


@pytest.mark.parametrize("statement", ["INSERT INTO attempts", "INSERT INTO daily_statistics", "COMMIT"])
def test_a_restart_between_statements_is_survived(
    database_server: Restartable, tmp_path: Path, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    ingestor = Ingestor(database_server.engine, LocalRejectStore(tmp_path / "rejected"), workers=1)
    with database_server.restarted_before(statement):
        assert ingestor.ingest_file(log_in(tmp_path)).outcome == "ingested"
    assert "The database connection was lost; trying again" in caplog.text
    assert_counts_once(database_server, tmp_path, "unchanged")


def test_a_restart_before_a_commit_takes_effect_is_survived(
    database_server: Restartable, tmp_path: Path
) -> None:
    """The server is within COMMIT, in a deferred trigger that takes its time once."""
    ingestor = Ingestor(database_server.engine, LocalRejectStore(tmp_path / "rejected"), workers=1)
    with database_server.engine.begin() as connection:
        connection.execute(sa.text("CREATE SEQUENCE commits"))
        connection.execute(
            sa.text(
                "CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN"
                " IF nextval(''commits'') = 1 THEN PERFORM pg_sleep(60); END IF; RETURN NULL; END'"
            )
        )
        connection.execute(
            sa.text(
                "CREATE CONSTRAINT TRIGGER pause AFTER INSERT ON daily_statistics"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pause()"
            )
        )
        connection.execute(sa.text("SELECT setval('commits', 1, false)"))

    def forget_trigger() -> None:
        """The sequence may not be on disk: after the restart, the trigger would pause again."""
        with database_server.engine.begin() as connection:
            connection.execute(sa.text("DROP TRIGGER pause ON daily_statistics"))

    restart = database_server.restart

    def restart_and_forget() -> None:
        restart()
        forget_trigger()

    database_server.restart = restart_and_forget  # type: ignore[method-assign]
    with database_server.restarted_within_commit("PgSleep"):
        assert ingestor.ingest_file(log_in(tmp_path)).outcome == "ingested"
    assert_counts_once(database_server, tmp_path, "unchanged")


def test_a_restart_after_a_commit_took_effect_is_noticed(
    database_server: Restartable, tmp_path: Path
) -> None:
    """COMMIT has been written, but is not answered: the server waits for a standby that does not exist."""
    ingestor = Ingestor(database_server.engine, LocalRejectStore(tmp_path / "rejected"), workers=1)

    waited: list[bool] = []

    def wait_for_a_standby(connection: sa.Connection) -> None:
        if not waited and connection.scalar(sa.text("SELECT count(*) FROM log_objects WHERE attempt_id > 0")):
            with side.connect() as other:
                other.execute(sa.text("ALTER SYSTEM SET synchronous_standby_names = 'nobody'"))
                other.execute(sa.text("SELECT pg_reload_conf()"))
            waited.append(True)
            time.sleep(0.5)  # the session reads it before its next statement

    side = sa.create_engine(database_server.engine.url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    restart = database_server.restart

    def restart_without_standby() -> None:
        configuration = database_server.server.folder / "postgresql.auto.conf"
        configuration.write_text(configuration.read_text().replace("'nobody'", "''"))
        restart()

    database_server.restart = restart_without_standby  # type: ignore[method-assign]
    sa.event.listen(database_server.engine, "commit", wait_for_a_standby)
    with database_server.restarted_within_commit("SyncRep"):
        assert ingestor.ingest_file(log_in(tmp_path)).outcome == "unchanged"
    sa.event.remove(database_server.engine, "commit", wait_for_a_standby)
    assert_counts_once(database_server, tmp_path, "unchanged")


def test_a_restart_while_the_log_is_read_is_survived(database_server: Restartable, tmp_path: Path) -> None:
    def restart(_: int) -> None:
        if not database_server.restarts:
            database_server.restart()

    ingestor = Ingestor(
        database_server.engine, LocalRejectStore(tmp_path / "rejected"), workers=1, progress=restart
    )
    assert ingestor.ingest_file(log_in(tmp_path)).outcome == "ingested"
    assert_counts_once(database_server, tmp_path, "unchanged")


def test_a_connection_cut_before_any_statement_or_commit_is_survived(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One after the other, every statement of an ingest that replaces, with rejected lines."""
    monkeypatch.setattr("processor.reconnection._PAUSES", (0.01, 0.1))
    side = create_engine(database, isolation_level="AUTOCOMMIT")
    ingestor = Ingestor(engine, LocalRejectStore(tmp_path / "rejected"), workers=1)
    countdown, happened = Countdown(engine), []
    lines: list[str] = []

    def end(connection: sa.Connection) -> None:
        happened.append(number)
        cut(side, connection)

    path = tmp_path / "a.log"
    for number in range(200):
        lines = random_lines(number, 200)
        path.write_bytes(as_bytes(lines) + b"broken\n")
        countdown.arm(number, end)
        assert ingestor.ingest_file(LocalFile.at(path)).outcome in ("ingested", "replaced", "unchanged")
        countdown.arm(-1, None)
        assert tables.statistics(engine) == oracle.statistics(lines)
        if happened != list(range(number + 1)):
            break
    path.write_bytes(b"")
    ingestor.ingest_file(LocalFile.at(path))
    assert set(tables.leftovers(engine).values()) == {0}
    assert len(happened) > 20
    print(f"cut before each of {len(happened)} statements")
    side.dispose()
