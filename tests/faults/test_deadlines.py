"""A function whose time runs out: it stops before it is cut off, whatever it waits for, and the message comes again."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from processor.capacity import BYTES_PER_SECOND, TooLargeError, check_size
from processor.context import Context
from processor.dataflow import staging
from processor.dataflow.report import PartReport
from processor.deadline import Deadline, DeadlineError
from processor.ingest import Ingestor
from processor.ledger.delivery import Withdrawal
from processor.reading.compression import COMPRESSIONS
from processor.reading.objects import LocalFile
from processor.reading.s3 import create_client
from processor.reject_stores import LocalRejectStore, S3RejectStore
from processor.requests import EventRequest
from tests import tables
from tests.faults.conftest import LINES
from tests.faults.runner import pause_within_commit
from tests.ingests import log_file, readable
from tests.logs import as_bytes
from tests.s3_double import S3Double

SECONDS = 6.5
"""The function's time; five of them are kept back."""


@contextmanager
def stopped_in_time() -> Iterator[Deadline]:
    """What happens within is stopped by the deadline, before the function would be cut off."""
    started = time.monotonic()
    deadline = Deadline.after(SECONDS)
    with pytest.raises(DeadlineError, match="the function's time is up; the next delivery starts again"):
        yield deadline
    assert deadline.at <= time.monotonic() < started + SECONDS


def assert_the_next_delivery_succeeds(ingestor: Ingestor, log: LocalFile) -> None:
    assert ingestor.ingest_file(log).outcome == "ingested"
    tables.check(ingestor.engine, LINES)


def test_while_it_reads(ingestor: Ingestor, log: LocalFile) -> None:
    with stopped_in_time() as deadline:
        slow = replace(ingestor, progress=lambda _: time.sleep(deadline.remaining()))
        slow.ingest_file(log, Context(deadline))
    assert tables.statistics(ingestor.engine) == {}
    assert_the_next_delivery_succeeds(ingestor, log)


@pytest.mark.parametrize("table", ["attempts", "contributions", "log_objects", "daily_statistics"])
def test_while_it_waits_for_a_lock(ingestor: Ingestor, log: LocalFile, table: str) -> None:
    """Before reading, while staging, and in the commit."""
    with ingestor.engine.begin() as holder:
        holder.execute(sa.text(f"LOCK TABLE {table}"))
        with stopped_in_time() as deadline:
            ingestor.ingest_file(log, Context(deadline))
    assert tables.statistics(ingestor.engine) == {}
    assert_the_next_delivery_succeeds(ingestor, log)


def test_while_another_delivery_of_the_object_commits(ingestor: Ingestor, log: LocalFile) -> None:
    ingestor.ingest_file(log)
    with ingestor.engine.begin() as holder:
        holder.execute(sa.text("SELECT 1 FROM log_objects FOR UPDATE"))
        with stopped_in_time() as deadline:
            ingestor.ingest_file(log, Context(deadline))
        with stopped_in_time() as deadline:
            ingestor.withdraw(Withdrawal(log.bucket, log.key), Context(deadline))
    assert ingestor.ingest_file(log).outcome == "unchanged"
    tables.check(ingestor.engine, LINES)


def test_while_the_commit_runs_many_statements(ingestor: Ingestor, log: LocalFile) -> None:
    """Each is short enough for `statement_timeout`; together they are not."""

    def delay(_connection: sa.Connection, _cursor: Any, statement: str, *_: Any) -> None:  # noqa: ANN401 - SQLAlchemy's, whatever it is
        if "contributions" in statement:
            time.sleep(2.2)

    sa.event.listen(ingestor.engine, "before_cursor_execute", delay)
    with stopped_in_time() as deadline:
        ingestor.ingest_file(log, Context(deadline))
    sa.event.remove(ingestor.engine, "before_cursor_execute", delay)
    assert_the_next_delivery_succeeds(ingestor, log)


def test_while_the_server_works_on_the_commit(ingestor: Ingestor, log: LocalFile) -> None:
    """A deferred trigger runs within COMMIT."""
    pause_within_commit(ingestor.engine, "PERFORM pg_sleep(60);")
    with stopped_in_time() as deadline:
        ingestor.ingest_file(log, Context(deadline))
    assert tables.statistics(ingestor.engine) == {}
    with ingestor.engine.begin() as connection:
        connection.execute(sa.text("DROP TRIGGER pause ON daily_statistics"))
    assert_the_next_delivery_succeeds(ingestor, log)


def test_while_a_commit_is_not_answered(ingestor: Ingestor, log: LocalFile) -> None:
    """The server gets the COMMIT, but says nothing, and cannot even be asked to cancel: the next delivery finds it done."""
    stopped: list[int] = []

    def stop_backend(connection: sa.Connection) -> None:
        if connection.scalar(sa.text("SELECT count(*) FROM log_objects WHERE attempt_id > 0")):
            driver: Any = connection.connection.driver_connection
            stopped.append(driver.info.backend_pid)
            os.kill(driver.info.backend_pid, signal.SIGSTOP)

    sa.event.listen(ingestor.engine, "commit", stop_backend)
    try:
        with stopped_in_time() as deadline:
            ingestor.ingest_file(log, Context(deadline))
        assert tables.statistics(ingestor.engine) == {}
    finally:
        sa.event.remove(ingestor.engine, "commit", stop_backend)
        for pid in stopped:
            os.kill(pid, signal.SIGCONT)
    assert ingestor.ingest_file(log).outcome == "unchanged"
    tables.check(ingestor.engine, LINES)


@pytest.mark.parametrize("method", ["HEAD", "GET", "PUT"])
def test_while_s3_is_silent(ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """The look at the object, its body, the keeping of its rejected lines."""
    with S3Double() as s3:
        for name, value in s3.variables.items():
            monkeypatch.setenv(name, value)
        s3.put("logs", "a.log", as_bytes(LINES) + b"broken\n")
        client = create_client()
        request = EventRequest(client, "logs", "a.log", "v1", "01")
        remote = replace(ingestor, rejects=S3RejectStore(client, "rejects"))
        s3.fault = lambda asked: "stall" if asked == method else ""
        with stopped_in_time() as deadline:
            remote.ingest(request, Context(deadline))
        assert tables.statistics(ingestor.engine) == {}
        s3.fault = lambda _: ""
        assert remote.ingest(request).outcome == "ingested"
        tables.check(ingestor.engine, LINES)
        client.close()


def test_between_the_last_byte_and_the_commit(
    ingestor: Ingestor, log: LocalFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing waits for the database then, which could be cancelled: no commit is begun."""
    stage = staging.stage

    def stage_slowly(*arguments: Any) -> list[list[PartReport]]:  # noqa: ANN401 - passed on
        reports = stage(*arguments)
        time.sleep(deadline.remaining())
        return reports

    with monkeypatch.context() as patched:
        patched.setattr("processor.ingest.stage", stage_slowly)
        with stopped_in_time() as deadline:
            ingestor.ingest_file(log, Context(deadline))
    assert tables.statistics(ingestor.engine) == {}
    assert_the_next_delivery_succeeds(ingestor, log)


def test_while_a_withdrawal_asks_what_is_current(ingestor: Ingestor, log: LocalFile) -> None:
    """As S3 is asked about an object that a backfill has confirmed."""
    ingestor.ingest_file(log)
    silent = threading.Event()
    withdrawal = Withdrawal(log.bucket, log.key, None, "01", lambda: silent.wait(20))
    with stopped_in_time() as deadline:
        ingestor.withdraw(withdrawal, Context(deadline))
    silent.set()
    tables.check(ingestor.engine, LINES)
    assert ingestor.withdraw(withdrawal).outcome == "withdrawn"
    tables.check(ingestor.engine)


class SlowStore(LocalRejectStore):
    """A store that writes when it is released."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.released, self.undone = threading.Event(), threading.Event()

    def put(self, name: str, data: bytes) -> None:
        self.released.wait()
        super().put(name, data)

    def delete(self, uri: str) -> None:
        super().delete(uri)
        if self.released.is_set():
            self.undone.set()


def test_rejected_lines_that_are_kept_too_late_are_deleted(ingestor: Ingestor, tmp_path: Path) -> None:
    """Their attempt has been discarded by then: nobody else would find them."""
    store = SlowStore(tmp_path / "slow")
    log = log_file(tmp_path / "rejecting.log", as_bytes(LINES) + b"broken\n")
    with stopped_in_time() as deadline:
        replace(ingestor, rejects=store).ingest_file(log, Context(deadline))
    tables.check(ingestor.engine)
    store.released.set()
    assert store.undone.wait(5)
    assert list((tmp_path / "slow").iterdir()) == []


def test_what_the_whole_time_would_do_for_is_left_to_the_next_delivery(log: LocalFile) -> None:
    small = readable(log)
    big = replace(small, stored=replace(log, size=BYTES_PER_SECOND * 100))
    deadline = Deadline(time.monotonic() + 50, 200)
    check_size(big, 4, deadline)
    with pytest.raises(DeadlineError, match="need about 100 s, and only 50 s are left; the next delivery"):
        check_size(big, 1, deadline)
    with pytest.raises(TooLargeError, match="need about 100 s, and the function has 60 s; backfill it"):
        check_size(big, 1, Deadline(time.monotonic() + 50, 60))


def test_a_compressed_object_is_read_by_one_core_and_grows(log: LocalFile) -> None:
    gzip = COMPRESSIONS[0]
    small = readable(log)
    head, size = replace(small.head, compression=gzip), gzip.bytes_per_second * 100
    big = replace(small, stored=replace(log, size=size), head=head)
    with pytest.raises(TooLargeError, match="need about 100 s, and the function has 99 s"):
        check_size(big, 4, Deadline(time.monotonic() + 99, 99))
    check_size(big, 4, Deadline(time.monotonic() + 150, 150))


def test_a_call_that_nobody_waits_for_any_longer_is_undone() -> None:
    release, undone = threading.Event(), threading.Event()
    with pytest.raises(DeadlineError):
        Deadline(time.monotonic() + 0.2, 1).run_within(release.wait, undone.set)
    release.set()
    assert undone.wait(5)


def test_a_call_in_time_is_as_if_called_directly() -> None:
    def fail() -> None:
        raise TimeoutError("its own")

    undone = threading.Event()
    deadline = Deadline.after(60)
    assert deadline.run_within(lambda: 42, undone.set) == 42
    with pytest.raises(TimeoutError, match="its own"):
        deadline.run_within(fail, undone.set)
    assert not undone.is_set()
