"""`logstats ingest` and `watch` as processes: pipes, ends, restarts."""

import gzip
import json
import os
import re
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from logstats.settings import DatabaseSettings
from processor.group import MOST_OBJECTS
from processor.ledger import attempts
from processor.reject_stores import LocalRejectStore
from tests import tables
from tests.e2e.test_ingest_command import COMMAND, run
from tests.logs import as_bytes, random_lines

A, B, C = (random_lines(seed, 50) for seed in (1, 2, 3))


def write(folder: Path, **logs: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in logs.items():
        (folder / f"{name}.log").write_bytes(as_bytes(lines))


def test_pipes_are_read(database: DatabaseSettings, engine: sa.Engine, tmp_path: Path) -> None:
    """Standard input by both of its names, compressed too, and a named pipe, whose writer comes late."""
    url, fifo = database.url, tmp_path / "f.log"
    for source, name, data in (("-", "x", as_bytes(A)), ("/dev/stdin", "y", gzip.compress(as_bytes(B)))):
        command = [COMMAND, "ingest", source, "--name", name, "--json", "--database-url", url]
        done = subprocess.run(command, input=data, capture_output=True, check=True)
        assert json.loads(done.stdout)["source"] == name
    os.mkfifo(fifo)
    command = [COMMAND, "ingest", str(fifo), "--json", "--database-url", url]
    reading = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert reading.stderr
    assert reading.stderr.readline() == f"{fifo}: it is a pipe that nobody writes to; waiting for somebody\n"
    fifo.write_bytes(as_bytes(C))
    output, _ = reading.communicate(timeout=60)
    assert json.loads(output)["outcome"] == "ingested"
    tables.check(engine, [*A, *B, *C])


def logs_of(folder: Path, count: int) -> list[str]:
    lines = [random_lines(seed, 20, customers=3) for seed in range(count)]
    folder.mkdir()
    for number, of_one in enumerate(lines):
        (folder / f"{number}.log").write_bytes(as_bytes(of_one))
    return [line for of_one in lines for line in of_one]


@contextmanager
def started(*arguments: str, url: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [COMMAND, *arguments, "--database-url", url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - a background job ignores it
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_killed_or_stopped_in_the_middle_of_a_folder_and_run_again_it_is_exact(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path
) -> None:
    files = 10 * MOST_OBJECTS
    lines = logs_of(tmp_path / "logs", files)
    command = ("ingest", str(tmp_path / "logs"))
    with started(*command, url=database.url) as process:
        assert process.stdout
        process.stdout.readline()
        process.kill()
    with started(*command, url=database.url) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    told = errors.splitlines()
    assert told[0].startswith("ending after the log objects at hand")
    (stopped,) = told[1:]
    done = re.fullmatch(r"stopped: ([\d,]+) log objects are done; run it again for the rest", stopped)
    assert done
    assert 0 < int(done[1].replace(",", "")) < files
    assert run(*command, DATABASE_URL=database.url).returncode == 0
    with (
        engine.connect() as connection
    ):  # a killed run leaves hundreds of attempts, and each ingest collects a few
        while attempts.garbage_collect(connection, LocalRejectStore(tmp_path)):
            pass
    tables.check(engine, lines)


def wait_for(happens: Callable[[], bool], seconds: float = 60) -> None:
    until = time.monotonic() + seconds
    while not happens():
        assert time.monotonic() < until
        time.sleep(0.05)


def test_watch_ingests_what_comes_grows_and_returns(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path
) -> None:
    """From before the folder is there; through a broken file, a folder that vanishes, and a restart."""
    folder, away = tmp_path / "logs", tmp_path / "away"
    command = ("watch", str(folder), "--every", "0.1", "--json")

    def requests() -> int:
        with engine.connect() as connection:
            return connection.scalar(sa.text("SELECT coalesce(sum(total_requests), 0) FROM customers")) or 0

    with started(*command, url=database.url) as process:
        assert process.stdout
        assert process.stderr
        assert process.stderr.readline() == f"logstats: {folder}: nothing is there; waiting for it\n"
        write(folder, a=A)
        assert process.stderr.readline() == f"logstats: {folder}: it is there now\n"
        assert json.loads(process.stdout.readline())["outcome"] == "ingested"
        with (folder / "a.log").open("ab") as file:
            file.write(as_bytes(B))
        wait_for(lambda: requests() == 100)
        (folder / "b.gz").write_bytes(gzip.compress(as_bytes(C))[:-9])
        assert "b.gz: not valid gzip" in process.stderr.readline()
        (folder / "b.gz").write_bytes(gzip.compress(as_bytes(C)))
        wait_for(lambda: requests() == 150)
        folder.rename(away)
        assert "waiting for it" in process.stderr.readline()
        away.rename(folder)
        assert "it is there now" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (0, "logstats: ending after the log objects at hand\n")
    write(folder, d=A)
    with started(*command, url=database.url) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["same_content_as"] is None
        process.send_signal(signal.SIGINT)
        output, _ = process.communicate(timeout=60)
        assert (process.returncode, output) == (0, "")
    tables.check(engine, [*A, *B, *C, *A])


def test_watch_and_ingest_keep_what_the_settings_say_of_a_day(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BREAKDOWN", "")
    write(tmp_path / "watched", a=A)
    write(tmp_path / "ingested", b=B, c=C)
    with started("watch", str(tmp_path / "watched"), "--json", url=database.url) as process:
        assert process.stdout
        assert json.loads(process.stdout.readline())["outcome"] == "ingested"
    for options in (["b.log"], ["c.log", "--processes", "2"]):
        done = run("ingest", str(tmp_path / "ingested" / options[0]), *options[1:], DATABASE_URL=database.url)
        assert done.returncode == 0
    with engine.connect() as connection:
        kept = connection.execute(sa.text("SELECT count(*), count(breakdown) FROM contributions")).one()
    assert kept[0] > 0
    assert kept[1] == 0


def test_a_second_interrupt_ends_a_folder_at_once(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path
) -> None:
    (tmp_path / "logs").mkdir()
    block = gzip.compress(as_bytes(random_lines(seed=1, count=50_000)))
    with (tmp_path / "logs/large.log").open("wb") as file:
        file.writelines([block] * 200)
    with started("ingest", str(tmp_path / "logs"), url=database.url) as process:
        wait_for(lambda: bool(tables.leftovers(engine)["attempts"]))
        process.send_signal(signal.SIGINT)
        assert process.stderr
        assert "once more ends at once" in process.stderr.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert (process.returncode, output) == (130, "")
    assert errors == "stopped: 0 log objects are done; run it again for the rest\n"
    tables.check(engine)
