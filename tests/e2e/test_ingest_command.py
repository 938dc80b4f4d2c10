"""The installed `logstats` command, as a user runs it."""

import gzip
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import sqlalchemy as sa

from local import cli
from logstats.settings import DatabaseSettings
from tests import oracle, tables
from tests.integration.local.test_sources import run as run_here
from tests.logs import as_bytes, random_lines

COMMAND = str(Path(sys.executable).parent / "logstats")


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [COMMAND, *arguments],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_json_is_one_line_on_stdout(database: DatabaseSettings, engine: sa.Engine, tmp_path: Path) -> None:
    lines = random_lines(seed=1, count=2_000)
    path = tmp_path / "a.log"
    path.write_bytes(as_bytes(lines) + b"broken\n")
    done = run("ingest", str(path), "--json", DATABASE_URL=database.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    summary = json.loads(done.stdout)
    assert 0 < summary.pop("seconds") < 60
    assert summary == {
        "source": str(path),
        "outcome": "ingested",
        "format": "logstats",
        "lines": 2_001,
        "accepted": 2_000,
        "rejected": 1,
        "rejected_by_reason": {"layout": 1},
        "skipped": 0,
        "customer_days": 20,
        "expired": 0,
        "same_content_as": None,
    }
    assert tables.statistics(engine) == oracle.statistics(lines)


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["missing.log"], {}, "missing.log: No such file or directory"),
        (["*.none"], {}, "*.none: no file matches it"),
        (["s3://bucket"], {}, "s3://bucket: an S3 object is named s3://bucket/key"),
        (["{log}"], {"WAIT_FOR_SYSTEM_DURATION": "soon"}, "WAIT_FOR_SYSTEM_DURATION: "),
        (["{log}", "--database-url", "{empty}"], {}, "run: logstats migrate --database-url"),
        (["{gzip}"], {}, "not valid gzip"),
        (
            ["{odd}"],
            {},
            'odd: its format is not recognised, and nothing of it counts; it begins with "\\x1b[2J {}"',
        ),
        (["{log}", "--format", "nope"], {}, "'nope' is neither a file nor a preset: logstats, "),
        (["{log}", "--format", "{own}"], {}, "own.toml: layout: "),
        (["{log}", "--zone", "2"], {}, "zone: '2' is no offset"),
        (["{log}"], {"LOG_FORMATS": "alb"}, "LOG_FORMATS: give a JSON list"),
        (["{log}"], {"LOG_FORMATS": '[{"format": "nope"}]'}, "LOG_FORMATS.0: 'nope' is neither"),
        (["s3://bucket/a", "--name", "b"], {}, "--name is for files"),
    ],
)
def test_errors_are_one_line(  # noqa: PLR0917 - fixtures and parameters
    database: DatabaseSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    environment: dict[str, str],
    message: str,
) -> None:
    (tmp_path / "a.log").write_bytes(b"")
    (tmp_path / "a.log.gz").write_bytes(gzip.compress(b"")[:-3])
    (tmp_path / "odd").write_bytes(b"\x1b[2J {}\nsecond\n")
    (tmp_path / "own.toml").write_text('layout = "jsn"')
    names = {
        "log": str(tmp_path / "a.log"),
        "gzip": str(tmp_path / "a.log.gz"),
        "odd": str(tmp_path / "odd"),
        "own": str(tmp_path / "own.toml"),
        "empty": "postgresql://postgres@/template1" + database.url[database.url.index("?") :],
    }
    for name, value in {"DATABASE_URL": database.url, **environment}.items():
        monkeypatch.setenv(name, value)
    given = [argument.format(**names) for argument in arguments]
    monkeypatch.setattr("sys.argv", ["logstats", "ingest", *given])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == (2 if "--name" in arguments else 1)  # options that do not go together
    output, errors = capsys.readouterr()
    assert output == ""
    assert errors.count("\n") == 1
    assert errors.startswith("logstats: ")
    assert message in errors


def test_a_file_has_the_name_and_the_format_that_it_is_given(
    database: DatabaseSettings, engine: sa.Engine
) -> None:
    sample = Path(__file__).parents[1] / "samples/aws-alb.log"
    options = ["--name", "alb/1", "--format", "aws-alb", "--customer", "@target host[1]", "--processes", "2"]
    done = run("ingest", str(sample), *options, "--json", DATABASE_URL=database.url)
    assert (done.returncode, done.stderr) == (0, "")
    summary = json.loads(done.stdout)
    assert (summary["source"], summary["format"]) == ("alb/1", "aws-alb")
    assert {customer for customer, _ in tables.statistics(engine)} >= {"api"}
    again = run_here("ingest", str(sample), *options[:-2], "--json", DATABASE_URL=database.url)
    assert json.loads(again.stdout)["outcome"] == "unchanged"
    assert again.stderr == "It counts as it was read before; --again reads it with these options.\n"
    assert run_here("rejects", "alb/1", DATABASE_URL=database.url).returncode == 0
    assert run_here("forget", "alb/1", DATABASE_URL=database.url).stdout == "withdrawn alb/1\n"
    assert tables.statistics(engine) == {}


def peak_memory(path: Path, url: str) -> int:
    """Peak resident memory, in bytes, of one `logstats ingest` with one worker."""
    arguments = [COMMAND, "ingest", str(path), "--workers", "1", "--json", "--database-url", url]
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0
    return usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def test_memory_does_not_grow_with_the_lines(database: DatabaseSettings, tmp_path: Path) -> None:
    block = as_bytes(random_lines(seed=1, count=50_000, customers=50, days=30))
    peaks = []
    for blocks in (10, 30):
        path = tmp_path / f"{blocks}.log"
        with path.open("wb") as file:
            file.writelines([block] * blocks)
        peaks.append(peak_memory(path, database.url))
        path.unlink()
    assert peaks[1] < 1.1 * peaks[0], peaks


@pytest.mark.parametrize("name", ["a.log", "a.log.gz"])
def test_an_interrupted_ingest_leaves_nothing_visible(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path, name: str
) -> None:
    """One worker is the main thread, which the interrupt goes to; several are not."""
    path, block = tmp_path / name, as_bytes(random_lines(seed=1, count=1_000)) * 50
    if name.endswith(".gz"):
        block = gzip.compress(block)
    with path.open("wb") as file:
        file.writelines([block] * 200)
    arguments = [COMMAND, "ingest", str(path), "--database-url", database.url]
    process = subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - a background job ignores it
    )
    deadline = time.monotonic() + 30
    while not tables.leftovers(engine)["attempts"]:
        assert time.monotonic() < deadline, "the ingest never began"
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert process.returncode == 130, (output, errors)
    assert (output, errors) == ("", "")
    assert tables.statistics(engine) == {}
    path.write_bytes(block)
    assert run("ingest", str(path), DATABASE_URL=database.url).returncode == 0
    assert set(tables.leftovers(engine).values()) == {0}
