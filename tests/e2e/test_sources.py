"""`logstats ingest` and `watch` on several sources: files, folders, patterns, pipes, S3 prefixes; ends and restarts."""

import gzip
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from logstats.settings import DatabaseSettings
from tests import tables
from tests.e2e.test_ingest_command import COMMAND, run
from tests.logs import as_bytes, random_lines
from tests.s3_double import S3Double

A, B, C = (random_lines(seed, 50) for seed in (1, 2, 3))


def summaries(done: subprocess.CompletedProcess[str]) -> dict[str, str]:
    """The outcome of each source, by its file's name."""
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert len({each["source"] for each in found}) == len(found)
    return {Path(each["source"]).name: each["outcome"] for each in found}


def write(folder: Path, **logs: list[str]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, lines in logs.items():
        (folder / f"{name}.log").write_bytes(as_bytes(lines))


def test_a_folder_with_what_cannot_be_read_among_what_can(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path
) -> None:
    """The good ones count, each of the others has one line; hidden and ignored ones have none."""
    write(tmp_path / "logs", a=A, b=B)
    write(tmp_path / "logs/deep/er", c=C)
    write(tmp_path / "logs/.hidden", d=C)
    logs = tmp_path / "logs"
    (logs / ".partial").write_bytes(as_bytes(C))
    (logs / "table.parquet").write_bytes(b"PAR1")
    (logs / "[red]picture.log").write_bytes(b"\xff\xd8\xff\xe0" + bytes(range(256)) * 20)
    (logs / "cut.gz").write_bytes(gzip.compress(as_bytes(A))[:-9])
    (logs / "gone.log").symlink_to(logs / "nowhere")
    os.mkfifo(logs / "pipe.log")
    done = run("ingest", str(logs), "--json", DATABASE_URL=database.url)
    assert summaries(done) == {
        "a.log": "ingested",
        "b.log": "ingested",
        "c.log": "ingested",
        "[red]picture.log": "unrecognised",
    }
    assert done.returncode == 1
    said = [line.partition("logs/")[2].partition(": ") for line in sorted(done.stderr.splitlines())]
    assert [(name, problem[:22]) for name, _, problem in said] == [
        ("[red]picture.log", "its format is not reco"),
        ("cut.gz", "not valid gzip: it end"),
        ("gone.log", "No such file or direct"),
        ("pipe.log", "it is neither a file n"),
    ]
    tables.check(engine, [*A, *B, *C])


def test_patterns_several_sources_and_what_names_nothing(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path
) -> None:
    write(tmp_path / "logs", a=A, b=B)
    write(tmp_path / "logs/deep", c=C)
    (tmp_path / "empty").mkdir()
    (tmp_path / "[x].log").write_bytes(as_bytes(A))
    sources = ("logs/**/*.log", "logs/a.log", "[x].log", "*.none", "empty", "missing.log")
    done = run("ingest", *(f"{tmp_path}/{source}" for source in sources), DATABASE_URL=database.url)
    assert done.returncode == 1
    assert sorted(done.stderr.replace(f"logstats: {tmp_path}/", "").splitlines()) == [
        "*.none: no file matches it",
        "empty: there is nothing in it",
        "missing.log: No such file or directory",
    ]
    counts = [line.split(maxsplit=5) for line in sorted(done.stdout.splitlines())]
    assert [(outcome, requests) for outcome, requests, *_ in counts] == [("ingested", "50")] * 4
    assert sum(f"the same as {tmp_path}" in line for line in done.stdout.splitlines()) in (1, 2)
    tables.check(engine, [*A, *A, *B, *C])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["-"], "-: give what comes through it a name: --name NAME"),
        (["{log}", "{log}", "--name", "x"], "--name is for one file"),
        (["{folder}", "--name", "x"], "--name is for one file"),
        (["-", "--name", "x", "--processes", "2"], "-: --processes is for files"),
        (["s3://bucket/a/", "--name", "x"], "--name is for files: an object on S3 has its key"),
        (["/dev/null"], "/dev/null: it is neither a file nor a folder"),
    ],
)
def test_options_that_do_not_go_with_the_sources_are_one_line(
    database: DatabaseSettings, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "a.log").write_bytes(as_bytes(A))
    given = [argument.format(log=tmp_path / "a.log", folder=tmp_path) for argument in arguments]
    done = run("ingest", *given, DATABASE_URL=database.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"logstats: {message}")
    assert done.stderr.count("\n") == 1


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


def test_two_hosts_with_one_path(database: DatabaseSettings, engine: sa.Engine, tmp_path: Path) -> None:
    """Without a name the second is a conflict, which says what counts and the ways on; with names both count."""
    path = tmp_path / "access.log"
    path.write_bytes(as_bytes(A))
    assert run("ingest", str(path), DATABASE_URL=database.url).returncode == 0
    path.write_bytes(as_bytes(B))
    done = run("ingest", str(path), "--json", DATABASE_URL=database.url)
    assert (done.returncode, summaries(done)) == (1, {"access.log": "conflict"})
    assert done.stderr.count("\n") == 1
    for part in (f"counts as {path}, with 50 requests, since 20", "--replace", "--rotated", "--name"):
        assert part in done.stderr
    tables.check(engine, A)
    assert run("ingest", str(path), "--name", "b/access.log", DATABASE_URL=database.url).returncode == 0
    tables.check(engine, [*A, *B])
    assert run("ingest", str(path), "--replace", DATABASE_URL=database.url).returncode == 0
    tables.check(engine, [*B, *B])


def test_rotated_logs_count_once_and_are_forgotten_by_their_path(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path
) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(as_bytes(A))
    (tmp_path / "access.log.2.gz").write_bytes(gzip.compress(as_bytes(C)))
    pattern = f"{path}*"
    assert run("ingest", "--rotated", pattern, DATABASE_URL=database.url).returncode == 0
    path.rename(tmp_path / "access.log.1")
    path.write_bytes(as_bytes(B))
    done = run("ingest", "--rotated", pattern, "--json", DATABASE_URL=database.url)
    assert done.returncode == 0
    assert sorted(summaries(done).values()) == ["ingested", "unchanged", "unchanged"]
    tables.check(engine, [*A, *B, *C])
    assert run("forget", str(tmp_path / "access.log.1"), DATABASE_URL=database.url).returncode == 0
    tables.check(engine, [*B, *C])


def test_a_prefix_is_all_objects_under_it(
    database: DatabaseSettings, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with S3Double() as s3:
        for name, value in s3.variables.items():
            monkeypatch.setenv(name, value)
        for key, lines in {"2024/a.log": A, "2024/b.log": B, "2025/c.log": C}.items():
            s3.put("logs", key, as_bytes(lines))
        done = run("ingest", "s3://logs/2024/", "--json", DATABASE_URL=database.url)
        assert (done.returncode, summaries(done)) == (0, {"a.log": "ingested", "b.log": "ingested"})
        tables.check(engine, [*A, *B])
        done = run("ingest", "s3://logs/2026/", DATABASE_URL=database.url)
        assert (done.returncode, done.stderr) == (1, "logstats: s3://logs/2026/: there is nothing in it\n")


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
    lines = logs_of(tmp_path / "logs", 60)
    command = ("ingest", str(tmp_path / "logs"))
    with started(*command, url=database.url) as process:
        assert process.stdout
        process.stdout.readline()
        process.kill()
    with started(*command, url=database.url) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    told = errors.splitlines()
    assert told[0].startswith("ending after the log objects at hand")
    done = output.count("\n") + 1
    assert told[1:] == [f"stopped: {done} log objects are done; run it again for the rest"]
    assert done < 60
    assert run(*command, DATABASE_URL=database.url).returncode == 0
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
