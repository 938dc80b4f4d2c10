"""The embedded PostgreSQL starts while a command is imported, and stops with it, whatever the command comes to."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from local import postgres

MAIN = """
import sys, time
from pathlib import Path
from local.commands import folder
folder.LOCAL_FOLDER = Path(sys.argv.pop(1))
from local import cli
if sys.argv[1:] == ["stats", "never"]:
    cli.load = lambda _: time.sleep(60)
cli.main()
"""


@pytest.fixture(scope="module")
def folder(postgres_folder: Path) -> Path:
    """A folder whose server has been started once, and stopped."""
    folder = Path(tempfile.mkdtemp(dir=postgres_folder))
    postgres.start(folder / "postgres").stop()
    return folder


def begin(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    environment = {name: value for name, value in os.environ.items() if name != "DATABASE_URL"}
    command = [sys.executable, "-c", MAIN, str(folder), *arguments]
    return subprocess.Popen(command, env=environment, stdout=-1, stderr=-1, text=True)


def starts(folder: Path) -> int:
    return (folder / "postgres" / "log").read_text().count("database system is ready to accept connections")


@pytest.mark.parametrize(
    ("arguments", "status", "started"),
    [
        (["sql", "SELECT 1 AS n"], 0, 1),
        (["stats", "c"], 2, 1),
        (["ingest", "nowhere"], 1, 1),
        (["stats", "--help"], 0, 0),
        (["formats"], 0, 0),
        (["sql", "SELECT 1", "--database-url", "nowhere"], 1, 0),
    ],
)
def test_the_server_stops_with_the_command(
    folder: Path, arguments: list[str], status: int, started: int
) -> None:
    before = starts(folder)
    with begin(folder, *arguments) as command:
        output, errors = command.communicate(timeout=60)
    assert command.returncode == status, errors
    assert errors.count("\n") == (status > 0)
    assert starts(folder) - before == started
    assert not (folder / "postgres" / "postmaster.pid").exists()
    if arguments[:2] == ["sql", "SELECT 1 AS n"]:
        assert output == "n\n1\n"


def test_a_command_that_is_ended_while_it_is_imported_leaves_no_server(folder: Path) -> None:
    with begin(folder, "stats", "never") as command:
        deadline = time.monotonic() + 60
        while not (folder / "postgres" / "postmaster.pid").exists():
            assert time.monotonic() < deadline
            time.sleep(0.01)
        command.send_signal(signal.SIGTERM)
        _, errors = command.communicate(timeout=60)
    assert (command.returncode, errors) == (130, "")
    assert not (folder / "postgres" / "postmaster.pid").exists()


def test_a_new_folder_is_left_to_the_command_that_asks_for_it(folder: Path) -> None:
    with begin(folder / "new", "ingest", "nowhere") as command:
        command.communicate(timeout=60)
    assert not (folder / "new").exists()
