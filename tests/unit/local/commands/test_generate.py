"""`logstats generate` as a program: streams, progress, errors."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from local.generator import Traffic

PROGRAM = [str(Path(sys.executable).parent / "logstats"), "generate"]


def run(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run([*PROGRAM, *arguments], capture_output=True, check=False)


def test_writes_to_stdout_and_nothing_else() -> None:
    done = run("--lines", "500")
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout == b"".join(Traffic().log(500))


def test_writes_a_file_with_every_option(tmp_path: Path) -> None:
    path = tmp_path / "some.log"
    options = ["--lines", "20", "--seed", "7", "--end", "2023-03-01", "--days", "2", "--customers", "3"]
    done = run("-o", str(path), *options)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    lines = path.read_text().splitlines()
    assert len(lines) == 20
    assert {line[:10] for line in lines} == {"2023-02-28", "2023-03-01"}
    assert {line.split()[2] for line in lines} == {"cust_1", "cust_2", "cust_3"}


@pytest.mark.parametrize(("kind", "shown"), [("xterm", True), ("dumb", False)])
def test_shows_progress_on_a_terminal_that_can_draw_a_line_again(
    kind: str, tmp_path: Path, *, shown: bool
) -> None:
    terminal, stderr = pty.openpty()
    environment = os.environ | {"TERM": kind, "COLUMNS": "80"}
    try:
        subprocess.run([*PROGRAM, "-o", tmp_path / "some.log"], stderr=stderr, env=environment, check=True)
        os.write(stderr, b"end")
        assert (b"Generating" in os.read(terminal, 65536)) == shown
    finally:
        os.close(terminal)
        os.close(stderr)


@pytest.mark.parametrize(
    ("arguments", "message", "status"),
    [
        (["--end", "2200-01-01"], "30 days up to 2200-01-01 are not all within 1970-01-01 to 2199-12-31", 2),
        (["--end", "1970-01-05", "--days", "6"], "6 days up to 1970-01-05 are not all within", 2),
        (["--end", "1969-12-31", "--days", "1"], "1 days up to 1969-12-31 are not all within", 2),
        (["-o", "/"], "/: Is a directory", 1),
        (["-o", "no/such/folder/some.log"], "no/such/folder/some.log: No such file or directory", 1),
    ],
)
def test_what_cannot_be_done_is_one_line(arguments: list[str], message: str, status: int) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (status, b"")
    assert done.stderr.decode().startswith(f"logstats: {message}")
    assert done.stderr.count(b"\n") == 1


def test_a_reader_that_stops_early_is_no_error() -> None:
    with subprocess.Popen(
        [*PROGRAM, "--lines", "1000000"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline() == next(Traffic().log(1))
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 141


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_full_disk_is_one_error() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(PROGRAM, stdout=full, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (1, b"logstats: stdout: No space left on device\n")
