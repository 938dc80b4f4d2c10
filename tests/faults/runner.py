"""Runs schedules through the real handler, dataflow and commit, into a real PostgreSQL."""

import json
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any
from unittest import mock

import sqlalchemy as sa

from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from processor import handler
from processor.announcements import announcements
from processor.context import Context
from processor.ingest import Ingestor
from processor.ledger import attempts, merge
from processor.ledger.horizon import SealedError
from processor.reject_stores import LocalRejectStore
from processor.settings import ProcessorSettings
from tests import oracle, tables
from tests.events import created
from tests.faults.bucket import VersionedBucket
from tests.faults.schedule import Event, Schedule, Step
from tests.ingests import NATIVE

_PROCESSOR = str(Path(handler.__file__).parent)
_DELIVERIES = 8
"""Deliveries of a message before the harness gives up, as a queue would."""


class Countdown:
    """Counts the statements, commits and COPYs of an engine; when armed, something happens before one of them, or within the COPY."""

    def __init__(self, engine: sa.Engine) -> None:
        self._lock, self._left = threading.Lock(), -1
        self._act: Any = None
        self._listening = (
            (engine, "before_cursor_execute", lambda connection, *_: self._count(connection)),
            (engine, "commit", self._count),
        )
        for listening in self._listening:
            sa.event.listen(*listening)
        self._within_copy = mock.patch.object(merge, "_copied", interrupted(self._count_of(engine)))
        self._within_copy.start()

    def remove(self) -> None:
        self._within_copy.stop()
        for listening in self._listening:
            sa.event.remove(*listening)

    def arm(self, statements: int, act: Any) -> None:  # noqa: ANN401 - a callable on the connection
        self._left, self._act = statements, act

    def _count_of(self, engine: sa.Engine) -> Callable[[sa.Connection], None]:
        """Count what happens on connections of this engine."""
        return lambda connection: self._count(connection) if connection.engine is engine else None

    def _count(self, connection: sa.Connection) -> None:
        with self._lock:
            self._left -= 1
            now = self._left == -1
        if now:
            self._act(connection)


def interrupted(act: Callable[[sa.Connection], None]) -> Any:  # noqa: ANN401 - as `merge._copied`
    """The merge's COPY, within which something happens: behind its first piece."""
    copied = merge._copied

    def copy(connection: sa.Connection, page: dict[str, Any]) -> Iterator[bytes]:
        for number, piece in enumerate(copied(connection, page)):
            if number == 1:
                act(connection)
            yield piece

    return copy


def cut(side: sa.Engine, connection: sa.Connection) -> None:
    """Let the server end a connection's session."""
    driver: Any = connection.connection.driver_connection
    with side.connect() as other:
        other.exec_driver_sql(f"SELECT pg_terminate_backend({driver.info.backend_pid}, 1000)")


def pause_within_commit(engine: sa.Engine, pause: str) -> None:
    """Let a commit of statistics run PL/pgSQL, in a deferred trigger `pause` on their table."""
    with engine.begin() as connection:
        connection.execute(
            sa.text(
                "CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql"
                f" AS $$ BEGIN {pause} RETURN NULL; END $$;"
                "CREATE CONSTRAINT TRIGGER pause AFTER INSERT ON daily_statistics"
                " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pause()"
            )
        )


def body_of(event: Event) -> dict[str, Any]:
    """The message of an event."""
    record = created("logs", event.key, event.version, event.sequencer)
    if event.lines is None:
        record["eventName"] = "ObjectRemoved:DeleteMarkerCreated"
    return {"Records": [record]}


@contextmanager
def wired(bucket: VersionedBucket) -> Iterator[None]:
    """The handler, on a bucket in memory, with withdrawals."""
    settings = ProcessorSettings(withdraw_removed_objects=True, log_formats=NATIVE)
    with (
        mock.patch.object(handler, "_s3", return_value=bucket),
        mock.patch.object(handler, "_settings", return_value=settings),
    ):
        level = handler.logger.log_level
        handler.logger.setLevel("CRITICAL")
        try:
            yield
        finally:
            handler.logger.setLevel(level)


def _die(_: object = None) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_at_instruction(at: int) -> None:
    """Die before a bytecode instruction of this thread in the processor's own code."""
    left = at

    def trace(frame: FrameType, event: str, _argument: object) -> Any:  # noqa: ANN401 - itself, or nothing
        nonlocal left
        if event == "call":
            if not frame.f_code.co_filename.startswith(_PROCESSOR):
                return None
            frame.f_trace_opcodes = True
        elif event == "opcode":
            left -= 1
            if left < 0:
                _die()
        return trace

    sys._getframe().f_trace_opcodes = True  # CPython 3.12.1 tells of no opcode unless this is set before
    sys.settrace(trace)


def process(body: dict[str, Any], ingestor: Ingestor) -> None:
    """Process what a message announces, as the handler does; errors come as they are."""
    for announcement in announcements(json.dumps(body)):
        handler._process(announcement, ingestor, Context())


def deliver_and_die(database: str, folder: str, bucket: VersionedBucket, step: Step) -> None:
    """In a process of its own: SIGKILL before a statement, or before an instruction."""
    engine = create_engine(DatabaseSettings(url=database, tls="disable", iam_auth=False), max_overflow=-1)
    with wired(bucket):
        ingestor = Ingestor(engine, LocalRejectStore(Path(folder)), workers=1, formats=NATIVE)
        if step.fault == "kill":
            Countdown(engine).arm(step.at, _die)
        else:
            die_at_instruction(step.at)
        process(body_of(step.events[0]), ingestor)


@dataclass
class Runner:
    """Runs schedules one after the other; `differences` names those that went wrong."""

    database: DatabaseSettings
    folder: Path
    schedules: list[Schedule] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = create_engine(self.database, max_overflow=-1)
        self._side = create_engine(self.database, isolation_level="AUTOCOMMIT")
        self._ingestor = Ingestor(self.engine, LocalRejectStore(self.folder), workers=1, formats=NATIVE)
        self._countdown = Countdown(self.engine)
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(["tests.faults.runner"])
        self._threads = ThreadPoolExecutor(4)
        self.bucket = VersionedBucket()
        self.faults = self.killed = 0

    def close(self) -> None:
        self._threads.shutdown()
        self._countdown.remove()
        self.engine.dispose()
        self._side.dispose()

    def run(self, schedule: Schedule) -> None:
        """Deliver everything; what fails comes again."""
        self.schedules.append(schedule)
        for event in schedule.uploads:
            assert self.bucket.put(event.key, event.data) == event.version
        with wired(self.bucket):
            for step in schedule.steps:
                self._step(step)

    def _step(self, step: Step) -> None:
        if step.fault in ("kill", "kill instruction"):
            self.faults += 1
            victim = self._processes.Process(
                target=deliver_and_die,
                args=(self.database.url, str(self.folder), self.bucket.only(step.events[0].key), step),
            )
            victim.start()
            victim.join()
            self.killed += victim.exitcode == -signal.SIGKILL
        if step.fault == "cut":
            self.faults += 1
            self._countdown.arm(step.at, self._cut)
        if len(step.events) == 1:
            self._deliver(step.events[0])
        else:
            list(self._threads.map(self._deliver, step.events))
        self._countdown.arm(-1, None)

    def _cut(self, connection: sa.Connection) -> None:
        cut(self._side, connection)

    def _deliver(self, event: Event) -> None:
        for tries_left in reversed(range(_DELIVERIES)):
            try:
                process(json.loads(json.dumps(body_of(event))), self._ingestor)
            except SealedError:
                raise
            except Exception:
                if not tries_left:
                    raise
            else:
                return

    def differences(self) -> list[str]:
        """The schedules whose statistics are not the oracle's, and what is left of dead attempts."""
        with self.engine.connect() as connection:
            while attempts.garbage_collect(connection, self._ingestor.rejects):
                pass
        found: dict[str, oracle.Statistics] = {}
        for (customer, day), statistics in tables.statistics(self.engine).items():
            found.setdefault(customer.partition("-")[0], {})[customer, day] = statistics
        wrong = [
            str(schedule)
            for schedule in self.schedules
            if found.get(f"s{schedule.seed}", {}) != schedule.expected()
        ]
        left = {table: count for table, count in tables.leftovers(self.engine).items() if count}
        return wrong + ([f"left behind: {left}"] if left else []) + self._wrong_rejects()

    def _wrong_rejects(self) -> list[str]:
        """Of each log object that counts, its rejected lines are kept, and no others."""
        rejected = sa.text("SELECT rejects_uri, rejected FROM log_objects WHERE rejected > 0")
        with self.engine.connect() as connection:
            expected = {row.rejects_uri: row.rejected for row in connection.execute(rejected)}
        files = (path for path in self.folder.rglob("*") if path.is_file())
        found = {str(path): len(path.read_bytes().splitlines()) for path in files}
        return [f"rejected lines: {path}" for path, _ in sorted(expected.items() ^ found.items())]
