"""Single faults, each with the real component."""

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from logstats.database import create_engine
from logstats.domain.batch import SummaryBatch
from logstats.native import Aggregator
from logstats.settings import DatabaseSettings
from processor.dataflow import sink as sink_module
from processor.dataflow.sink import StagingSink
from processor.dataflow.worker_errors import WorkerErrors
from processor.ingest import Ingestor
from processor.ledger import attempts
from processor.ledger.delivery import Withdrawal
from processor.ledger.withdrawal import withdraw
from processor.reading.objects import LocalFile, TransientSourceError
from processor.reject_stores import LocalRejectStore
from tests import oracle, tables
from tests.faults.concurrent import ingest_in_processes, ingest_in_threads, lines_of, write
from tests.faults.conftest import LINES
from tests.ingests import log_file
from tests.logs import as_bytes, random_lines


def test_sixteen_ingests_at_once_equal_one_after_the_other(
    engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The order of locks alone must prevent deadlocks."""
    monkeypatch.setattr("processor.ledger.transaction._TRIES", 1)
    assert ingest_in_threads(engine.url, write(tmp_path, 16, 1_000)) == ["ingested"] * 16
    tables.check(engine, [line for number in range(16) for line in lines_of(number, 1_000)])


def test_sixteen_processes_at_once_equal_one_after_the_other(
    engine: sa.Engine, database: DatabaseSettings, tmp_path: Path
) -> None:
    assert ingest_in_processes(database.url, write(tmp_path, 16, 1_000)) == ["ingested"] * 16
    tables.check(engine, [line for number in range(16) for line in lines_of(number, 1_000)])


def test_a_commit_whose_answer_is_lost_counts_once(ingestor: Ingestor, log: LocalFile) -> None:
    """The server has committed, the client never hears of it: the next try finds out."""
    cut: list[int] = []

    def lose_the_answer(connection: sa.Connection) -> None:
        with ingestor.engine.connect() as other:
            committing = connection.scalar(sa.text("SELECT count(*) FROM log_objects WHERE attempt_id > 0"))
            if cut or not committing:
                return
            driver: Any = connection.connection.driver_connection
            driver.commit()
            cut.append(driver.info.backend_pid)
            other.execute(sa.select(sa.func.pg_terminate_backend(driver.info.backend_pid, 1_000)))

    sa.event.listen(ingestor.engine, "commit", lose_the_answer)
    summary = ingestor.ingest_file(log)
    assert (len(cut), summary.outcome) == (1, "unchanged")
    assert tables.statistics(ingestor.engine) == oracle.statistics(LINES)


def test_a_lock_that_never_comes_is_an_error_in_time(
    database: DatabaseSettings, ingestor: Ingestor, log: LocalFile
) -> None:
    ingestor.ingest_file(log)
    impatient = create_engine(database.model_copy(update={"lock_timeout_seconds": 0.2}))
    blocked = Ingestor(impatient, ingestor.rejects, workers=1)
    with ingestor.engine.begin() as holder:
        holder.execute(sa.text("SELECT 1 FROM log_objects FOR UPDATE"))
        with pytest.raises(sa.exc.OperationalError, match="lock timeout"):
            blocked.ingest_file(log)
    assert blocked.ingest_file(log).outcome == "unchanged"
    impatient.dispose()


def test_a_silent_transaction_does_not_keep_its_locks(
    database: DatabaseSettings, ingestor: Ingestor, log: LocalFile
) -> None:
    """A function that is cut off in the middle of a commit leaves an open session behind."""
    ingestor.ingest_file(log)
    frozen = create_engine(database.model_copy(update={"idle_transaction_timeout_seconds": 0.2}))
    with frozen.connect() as connection:
        connection.execute(sa.text("SELECT 1 FROM log_objects FOR UPDATE"))
        assert ingestor.ingest_file(log).outcome == "unchanged"
        connection.invalidate()
    frozen.dispose()


def test_concurrent_collectors_collect_the_dead_and_only_the_dead(
    engine: sa.Engine, ingestor: Ingestor
) -> None:
    with engine.connect() as living, engine.connect() as dying:
        alive = attempts.begin(living, [("b", "alive")])[0]
        dead = attempts.begin(dying, [("b", "dead")])[0]
        dying.invalidate()
        found: list[int] = []

        def collect() -> None:
            with engine.connect() as connection:
                found.extend(attempts.garbage_collect(connection, ingestor.rejects))

        deadline = time.monotonic() + 5
        while not found and time.monotonic() < deadline:
            threads = [threading.Thread(target=collect) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        assert found == [dead]
        with pytest.raises(attempts.LostAttemptError), engine.begin() as connection:
            attempts.lock(connection, [dead])
        with engine.begin() as connection:
            attempts.lock(connection, [alive])


def test_a_statement_that_takes_too_long_is_an_error_in_time(
    database: DatabaseSettings, ingestor: Ingestor, log: LocalFile
) -> None:
    """Staging waits for a lock on the table: without the lock's own limit, the statement's ends it."""
    limits = {"statement_timeout_seconds": 0.3, "lock_timeout_seconds": 0}
    impatient = create_engine(database.model_copy(update=limits))
    with ingestor.engine.begin() as holder:
        holder.execute(sa.text("LOCK TABLE daily_statistics"))
        with pytest.raises(psycopg.errors.QueryCanceled, match="statement timeout"):
            Ingestor(impatient, ingestor.rejects, workers=1).ingest_file(log)
    tables.check(ingestor.engine)
    assert Ingestor(impatient, ingestor.rejects, workers=1).ingest_file(log).outcome == "ingested"
    impatient.dispose()


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB ; only root can mount one."""
    folder = tmp_path / "full"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_full_disk_commits_nothing(
    engine: sa.Engine, log: LocalFile, full_disk: Path, tmp_path: Path
) -> None:
    """The processor's only files are rejected lines, and those only without a bucket for them."""
    rejecting = log_file(tmp_path / "rejecting.log", as_bytes(LINES) + b"broken\n" * 5_000)
    ingestor = Ingestor(engine, LocalRejectStore(full_disk), workers=1)
    with pytest.raises(TransientSourceError, match=r"cannot be kept in .*No space left on device"):
        ingestor.ingest_file(rejecting)
    tables.check(engine)
    assert not [path for path in full_disk.rglob("*") if path.is_file()]
    assert ingestor.ingest_file(log).outcome == "ingested", "nothing rejected, nothing written"
    subprocess.run(["mount", "-o", "remount,size=8m", str(full_disk)], check=True)
    assert ingestor.ingest_file(rejecting).outcome == "ingested"
    assert tables.statistics(engine) == oracle.statistics(LINES * 2)


@pytest.mark.timeout(1_800)
def test_kill_9_at_random_moments_leaves_nothing_behind(
    engine: sa.Engine, database: DatabaseSettings, tmp_path: Path
) -> None:
    """FAULTS_KILLS says how often; the default keeps the suite short, 50 are run nightly.

    The moments are spread over the time of a whole run, whatever that is on this machine; every second is within an attempt.
    """
    lines, log = random_lines(7, 20_000, customers=300, days=20), (tmp_path / "big.log").resolve()
    log.write_bytes(as_bytes(lines) * 4)
    program = [sys.executable, "-c", "from local.cli import main; main()"]
    command = [*program, "ingest", str(log), "--database-url", database.url]
    rejects = LocalRejectStore(tmp_path / "rejected")
    rng, kills = random.Random(7), int(os.environ.get("FAULTS_KILLS", "4"))
    started = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    whole = time.monotonic() - started
    killed = interrupted = 0
    while killed < kills or not interrupted:
        withdraw(engine, Withdrawal("file", str(log)), rejects)
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        first, last = 0.1, 1.05
        while killed % 2 and process.poll() is None and not tables.leftovers(engine)["attempts"]:
            first, last = 0, 0.3
        try:
            process.wait(timeout=rng.uniform(first, last) * whole)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            killed += 1
            interrupted += tables.leftovers(engine)["attempts"] > 0
        process.wait()
    print(f"killed {killed} times, {interrupted} of them within an attempt")
    assert interrupted
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    with engine.connect() as connection:
        deadline = time.monotonic() + 10
        while any(tables.leftovers(engine).values()) and time.monotonic() < deadline:
            attempts.garbage_collect(connection, rejects)
    tables.check(engine, lines, times=4)


def test_an_attempt_is_not_collected_while_rows_are_staged_for_it(
    engine: sa.Engine, ingestor: Ingestor
) -> None:
    """Its session has died; a worker, on a connection of its own, still stages."""
    with engine.connect() as dying:
        dead = attempts.begin(dying, [("b", "dead")])[0]
        dying.invalidate()
    collected: list[int] = []

    def collect() -> None:
        deadline = time.monotonic() + 30
        with engine.connect() as connection:
            while not collected and time.monotonic() < deadline:
                collected.extend(attempts.garbage_collect(connection, ingestor.rejects))

    thread = threading.Thread(target=collect)
    with engine.begin() as staging:
        attempts.lock(staging, [dead])
        thread.start()
        tables.wait_for_waiting(engine)
        assert not collected, "collected while it was locked"
    thread.join()
    assert collected == [dead]


def test_a_worker_that_holds_much_stages_nothing_for_a_collected_attempt(
    engine: sa.Engine, ingestor: Ingestor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the rest staged in the end: nobody would ever collect it."""
    monkeypatch.setattr(sink_module, "_BATCH_BYTES", 1)
    with engine.connect() as dying:
        dead = attempts.begin(dying, [("b", "dead")])[0]
        dying.invalidate()
    collected: list[int] = []
    deadline = time.monotonic() + 20
    with engine.connect() as connection:
        while not collected and time.monotonic() < deadline:
            collected = attempts.garbage_collect(connection, ingestor.rejects)
    assert collected == [dead]
    aggregator, errors = Aggregator(), WorkerErrors()
    aggregator.feed(as_bytes(LINES))
    sink = StagingSink(engine, [dead], errors)
    worker = sink.build("stage", 0, 1)
    worker.write_batch([(0, SummaryBatch(batch)) for _, _, batch in aggregator.drain_batches(1)])
    assert isinstance(errors.error, attempts.LostAttemptError)
    with pytest.raises(attempts.LostAttemptError), engine.connect() as connection:
        sink.finish(connection)
    assert set(tables.leftovers(engine).values()) == {0}


def test_what_is_committed_is_never_collected(ingestor: Ingestor, log: LocalFile) -> None:
    """Though the list of those that may be collected had it."""
    ingestor.ingest_file(log)
    with ingestor.engine.begin() as connection:
        connection.execute(sa.text("UPDATE attempts SET committed = false"))
    with ingestor.engine.connect() as connection:
        assert attempts.garbage_collect(connection, ingestor.rejects) == []
    with ingestor.engine.connect() as connection:
        assert connection.scalar(sa.text("SELECT count(*) FROM attempts")) == 1
        assert connection.scalar(sa.text("SELECT sum(total_requests) FROM contributions")) == len(LINES)
