"""One log object, several processes."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import sqlalchemy as sa

from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from processor.cluster import __main__ as command_line
from processor.cluster import coordinator as cluster
from processor.cluster.coordinator import Coordinator, on_this_machine
from processor.cluster.members import ClusterError, Layout, member, open_log
from processor.dataflow.source import Progress
from processor.dataflow.staging import Running
from processor.ingest import Ingestor
from processor.ledger import attempts, membership
from processor.reading.objects import LocalFile, StoredObject
from tests import tables
from tests.logs import as_bytes, random_lines

LINES = random_lines(seed=7, count=4_000, customers=40)
COPIES = 100  # 20 MB: several chunks for each worker


@pytest.fixture
def log(tmp_path: Path) -> Path:
    path = tmp_path / "a.log"
    path.write_bytes(as_bytes(LINES) * COPIES + b"not a line\n")
    return path


def clustered(
    ingestor: Ingestor, database: DatabaseSettings, path: Path, progress: Progress = lambda _: None
) -> Ingestor:
    coordinator = on_this_machine(ingestor.engine, database, str(path), 2, 1, progress)
    return Ingestor(ingestor.engine, ingestor.rejects, cluster=coordinator)


def free_addresses() -> list[str]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{opened.getsockname()[1]}" for opened in sockets]
    for opened in sockets:
        opened.close()
    return addresses


def test_two_processes_give_the_tables_of_one_and_rejected_lines_have_the_numbers_of_the_whole_log(
    ingestor: Ingestor, database: DatabaseSettings, server: EmbeddedPostgres, log: Path
) -> None:
    """Broken lines throughout, so that every process has some."""
    lines = log.read_bytes().removesuffix(b"\n").split(b"\n")
    for at in range(0, len(lines), 9_973):
        lines[at] = f"broken {at}".encode()
    log.write_bytes(b"\n".join(lines))
    rejected = [number for number, line in enumerate(lines, 1) if line.startswith((b"broken", b"not a line"))]
    read: list[int] = []
    summary = clustered(ingestor, database, log, read.append).ingest_file(LocalFile.at(log))
    assert (summary.outcome, summary.rejected) == ("ingested", len(rejected))
    assert summary.accepted == len(lines) - len(rejected)
    assert sum(read) >= log.stat().st_size
    server.create_database("one_process", template="migrated")
    alone = create_engine(server.settings("one_process"))
    Ingestor(alone, ingestor.rejects, workers=1).ingest_file(LocalFile.at(log))
    assert tables.merged_rows(ingestor.engine) == tables.merged_rows(alone)
    assert tables.merged_rows(alone)
    alone.dispose()
    uri = tables.ledger(ingestor.engine, str(log)).rejects_uri
    assert uri is not None
    assert [json.loads(line)["line"] for line in Path(uri).read_text().splitlines()] == rejected
    with ingestor.engine.connect() as connection:
        writers = connection.scalars(sa.text("SELECT DISTINCT part % 2 FROM contributions")).all()
        kept = connection.scalar(sa.text("SELECT count(*) FROM attempt_parts"))
    assert sorted(writers) == [0, 1]
    assert kept == 0, "the coordinator has taken them: rejected lines do not stay in the database"


def test_reading_may_take_longer_than_a_transaction_may_be_idle(
    database_variables: DatabaseSettings, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A member's lock is held by a transaction, which is idle meanwhile."""
    monkeypatch.setenv("DATABASE_IDLE_TRANSACTION_TIMEOUT_SECONDS", "0.2")
    members_while_reading: list[int] = []

    def read_slowly(engine: sa.Engine, logs: dict[int, StoredObject], _running: Running) -> None:
        (attempt_id,) = logs
        time.sleep(0.6)
        members_while_reading.append(membership.count_members(engine, attempt_id))

    monkeypatch.setattr("processor.cluster.members.stage", read_slowly)
    monkeypatch.setattr("processor.cluster.members._end_with_parent", lambda _: None)
    assert member(str(log), Layout((), 1), process_id=0, attempt_id=1) == 0
    assert members_while_reading == [1]


def test_a_killed_process_leaves_nothing_and_the_next_run_succeeds(
    ingestor: Ingestor, database: DatabaseSettings, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log.write_bytes(log.read_bytes() * 2)
    started: list[int] = []

    class Recorded(subprocess.Popen[str]):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, **options)  # type: ignore[call-overload]  # passed on as they come
            started.append(self.pid)

    def kill_one(_count: int) -> None:
        if started:
            os.kill(started.pop(), signal.SIGKILL)
            started.clear()

    with monkeypatch.context() as patched:
        patched.setattr("processor.cluster.members.subprocess.Popen", Recorded)
        with pytest.raises(ClusterError, match="process 1 ended with signal 9"):
            clustered(ingestor, database, log, kill_one).ingest_file(LocalFile.at(log))
    assert tables.merged_rows(ingestor.engine) == []
    summary = clustered(ingestor, database, log).ingest_file(LocalFile.at(log))
    assert (summary.outcome, summary.accepted) == ("ingested", 2 * COPIES * len(LINES))
    assert set(tables.leftovers(ingestor.engine).values()) == {0}


def test_a_members_error_is_told_in_its_words(
    ingestor: Ingestor, database: DatabaseSettings, log: Path, tmp_path: Path
) -> None:
    gone = clustered(ingestor, database, tmp_path / "gone.log")
    with pytest.raises(ClusterError, match="No such file"):
        gone.ingest_file(LocalFile.at(log))
    assert tables.merged_rows(ingestor.engine) == []


def test_a_process_that_does_not_come_fails_the_attempt(
    ingestor: Ingestor, database_variables: DatabaseSettings, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "JOIN_SECONDS", 1)
    layout = Layout(tuple(free_addresses()), 1)
    coordinator = Coordinator(ingestor.engine, str(log), layout, range(1), environment=dict(os.environ))
    with pytest.raises(ClusterError, match="of 2 processes have come"):
        Ingestor(ingestor.engine, ingestor.rejects, cluster=coordinator).ingest_file(LocalFile.at(log))


def test_processes_find_each_other_through_the_database(
    database_variables: DatabaseSettings, engine: sa.Engine, log: Path
) -> None:
    command = [sys.executable, "-m", "processor.cluster", str(log), "--addresses", ",".join(free_addresses())]
    joining, coordinating = (
        subprocess.Popen(
            [*command, "--process-id", number, "--workers", "1"],
            cwd=log.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in ("1", "0")
    )
    out, err = coordinating.communicate(timeout=100)
    assert coordinating.returncode == 0, err
    summary = json.loads(out.splitlines()[-1])
    assert (summary["outcome"], summary["accepted"]) == ("ingested", COPIES * len(LINES))
    joining.communicate(timeout=100)
    assert joining.returncode == 0
    tables.check(engine, LINES, times=COPIES)


def wait_for_member(engine: sa.Engine, attempt_id: int) -> None:
    deadline = time.monotonic() + 60
    while not membership.count_members(engine, attempt_id):
        assert time.monotonic() < deadline, "the member never comes"
        time.sleep(0.05)


def test_who_joins_gives_up_with_process_0(
    database_variables: DatabaseSettings, engine: sa.Engine, log: Path
) -> None:
    """The session of its attempt ends; the member would wait for process 0 without end."""
    layout, file = Layout(tuple(free_addresses()), 1), LocalFile.at(log)
    command = [sys.executable, "-m", "processor.cluster", str(log), "--addresses", ",".join(layout.addresses)]
    with engine.connect() as coordinating:
        attempt_id = attempts.begin(coordinating, [(file.bucket, file.key)])[0]
        membership.announce(engine, attempt_id, layout.name(open_log(str(log))))
        joining = subprocess.Popen(
            [*command, "--process-id", "1", "--workers", "1"], stderr=subprocess.PIPE, text=True
        )
        try:
            wait_for_member(engine, attempt_id)
            coordinating.invalidate()
            _, err = joining.communicate(timeout=60)
        finally:
            joining.kill()
    assert (joining.returncode, err) == (1, "process 1: process 0 has given up\n")
    assert membership.count_members(engine, attempt_id) == 0


def test_a_member_ends_with_the_process_that_has_started_it(
    database_variables: DatabaseSettings, engine: sa.Engine, log: Path
) -> None:
    """It is killed, so it cannot end its member itself; that one waits for process 1 without end."""
    command = [sys.executable, "-m", "processor.cluster", str(log), "--addresses", ",".join(free_addresses())]
    coordinating = subprocess.Popen([*command, "--process-id", "0", "--workers", "1"], cwd=log.parent)
    wait_for_member(engine, 1)
    members = psutil.Process(coordinating.pid).children(recursive=True)
    coordinating.kill()
    coordinating.wait()
    _, left = psutil.wait_procs(members, timeout=20)
    for member_left in left:
        member_left.kill()
    assert members
    assert left == []


def test_the_processes_of_a_machine_share_its_cores(
    database: DatabaseSettings, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cluster, "usable_cores", lambda: 6)
    for processes, workers, each in ((2, None, 3), (4, None, 1), (8, None, 1), (2, 5, 5)):
        layout = on_this_machine(engine, database, "a.log", processes, workers, lambda _: None).layout
        assert (len(set(layout.addresses)), layout.workers) == (processes, each)


def told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: str
) -> tuple[int, list[str]]:
    """Run the command line here; return its status, and what it says on standard error."""
    monkeypatch.setattr("sys.argv", ["processor.cluster", "a.log", *arguments])
    try:
        status = command_line.main()
    except SystemExit as ended:
        status = int(str(ended.code))
    output, errors = capsys.readouterr()
    assert output == ""
    return status, errors.splitlines()


def test_a_wrong_setting_is_one_clear_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "nonsense")
    status, (line,) = told(monkeypatch, capsys, "--addresses", "a:1", "--process-id", "0")
    assert status == 1
    assert line.startswith("process 0: DATABASE_URL")


@pytest.mark.parametrize(
    ("more", "message"), [(["--process-id", "2"], "--process-id must be 0 to 1"), ([], "--process-id")]
)
def test_wrong_options_are_one_clear_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], more: list[str], message: str
) -> None:
    status, lines = told(monkeypatch, capsys, "--addresses", "a:1,b:1", *more)
    assert status == 2
    assert message in lines[-1]
