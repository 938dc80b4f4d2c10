"""`logstats ingest` with several sources: files, folders, patterns, S3 prefixes; each counts on its own."""

import gzip
import io
import json
import os
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

import pytest
import sqlalchemy as sa

from local import cli
from logstats.settings import DatabaseSettings
from tests import tables
from tests.logs import as_bytes, random_lines
from tests.s3_double import S3Double

A, B, C = (random_lines(seed, 50) for seed in (1, 2, 3))


@dataclass(frozen=True)
class Done:
    """Hold what a command has come to."""

    returncode: object
    stdout: str
    stderr: str


def run(*arguments: str, DATABASE_URL: str) -> Done:  # noqa: N803 - as in the environment of a process
    out, err = io.StringIO(), io.StringIO()
    command = ["logstats", *arguments, "--database-url", DATABASE_URL]
    patches = redirect_stdout(out), redirect_stderr(err), mock.patch("sys.argv", command)
    with patches[0], patches[1], patches[2], pytest.raises(SystemExit) as end:
        cli.main()
    return Done(end.value.code or 0, out.getvalue(), err.getvalue())


def summaries(done: Done) -> dict[str, str]:
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
        (["{log}", "--name", ""], "Invalid value for '--name': it is empty"),
        (["{log}", ""], "Invalid value for 'SOURCE': it is empty"),
    ],
)
def test_options_that_do_not_go_with_the_sources_are_one_line(
    database: DatabaseSettings, tmp_path: Path, arguments: list[str], message: str
) -> None:
    (tmp_path / "a.log").write_bytes(as_bytes(A))
    given = [argument.format(log=tmp_path / "a.log", folder=tmp_path) for argument in arguments]
    done = run("ingest", *given, DATABASE_URL=database.url)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"logstats: {message}")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize("command", ["ingest", "forget", "rejects"])
def test_a_name_that_no_ledger_can_hold_is_one_line(
    database: DatabaseSettings, tmp_path: Path, command: str
) -> None:
    """Also one that no file can have: it is wrong with one source, and the others go on."""
    done = run(command, f"{tmp_path}/\udcff.log", DATABASE_URL=database.url)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "unexpected" not in done.stderr
    done = run(command, "x" * 3_000, DATABASE_URL=database.url)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "unexpected" not in done.stderr


def test_what_is_wrong_with_one_name_stops_no_other(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path
) -> None:
    write(tmp_path, a=A)
    deep = tmp_path.joinpath(*("d" * 250 for _ in range(9)))
    sources = (str(tmp_path / "a.log"), "x" * 3_000, "/dev/null", str(deep))
    write(deep, b=B)
    done = run("ingest", *sources, DATABASE_URL=database.url)
    assert done.returncode == 1
    assert sorted(line.rpartition(": ")[2] for line in done.stderr.splitlines()) == [
        "File name too long",
        "it is neither a file nor a folder",
        "the name has more than 2,048 bytes; give a --name",
    ]
    tables.check(engine, A)


def test_a_name_that_is_no_text_is_refused(database: DatabaseSettings, tmp_path: Path) -> None:
    write(tmp_path, a=A)
    for name, told in (("\udcff", "not valid UTF-8"), ("é" * 1_025, "more than 2,048 bytes")):
        done = run("ingest", str(tmp_path / "a.log"), "--name", name, DATABASE_URL=database.url)
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)
        assert told in done.stderr


def test_a_pattern_follows_no_link_back_to_where_it_is(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path
) -> None:
    """`**` is any number of folders; a link to a folder is none of them, or two such links would never end."""
    write(tmp_path / "[logs]", a=A)
    write(tmp_path / "[logs]/deep/er", b=B)
    write(tmp_path / "[logs]/.hidden", c=C)
    for name in ("back", "again"):
        (tmp_path / "[logs]/deep" / name).symlink_to(tmp_path / "[logs]")
    for pattern in ("**/*.log", "**/deep/**/*.log", "*/**/*.log", "**"):
        done = run("ingest", f"{tmp_path}/{pattern}", DATABASE_URL=database.url)
        names = sorted(line.rpartition("/")[2] for line in done.stdout.splitlines())
        assert (done.returncode, done.stderr, names) == (0, "", ["a.log", "b.log"][pattern.count("deep") :])
    tables.check(engine, [*A, *B])


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


def test_another_log_that_begins_like_a_rotated_one_is_not_told_to_be_rotated(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path
) -> None:
    path = tmp_path / "access.log"
    path.write_bytes(as_bytes(A[:20]))
    assert run("ingest", "--rotated", str(path), DATABASE_URL=database.url).returncode == 0
    other = [A[0], *B]
    path.write_bytes(as_bytes(other))
    done = run("ingest", "--rotated", str(path), DATABASE_URL=database.url)
    assert done.returncode == 1
    assert "begins in the same way: without --rotated" in done.stderr
    tables.check(engine, A[:20])
    assert run("ingest", "--name", "other", str(path), DATABASE_URL=database.url).returncode == 0
    tables.check(engine, [*A[:20], *other])


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
