"""The database of the local cloud is stopped by its keeper, however the cloud ends."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from local import postgres
from local.cloud import database
from local.errors import UserError


def postmaster(folder: Path) -> int:
    return int((folder / "postmaster.pid").read_text().split()[0])


def stopped(folder: Path) -> bool:
    deadline = time.monotonic() + 15
    while (folder / "postmaster.pid").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    return not (folder / "postmaster.pid").exists()


@pytest.fixture
def folder(postgres_folder: Path) -> Path:
    return postgres_folder / f"kept-{time.monotonic_ns()}"


@contextmanager
def running(folder: Path) -> Iterator[str]:
    with database.running(folder, folder.parent / "keeper.log") as starting:
        yield starting()


def test_data_is_there_again(folder: Path) -> None:
    with running(folder) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT current_database()").fetchone() == ("logstats",)
        connection.execute("CREATE TABLE kept AS SELECT 7 AS x")
    assert stopped(folder)
    with running(folder) as url, psycopg.connect(url) as connection:
        assert connection.execute("SELECT x FROM kept").fetchone() == (7,)


def test_a_command_that_uses_it_too_keeps_it_running(folder: Path) -> None:
    with running(folder):
        other = postgres.start(folder)
    with psycopg.connect(other.url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    other.stop()
    assert stopped(folder)


def test_it_stops_when_the_cloud_is_killed(folder: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from local.cloud import database\n"
        f"folder = Path({str(folder)!r})\n"
        "with database.running(folder, folder.parent / 'keeper.log') as starting:\n"
        "    print(starting(), flush=True); time.sleep(60)\n"
    )
    cloud = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert cloud.stdout is not None
    cloud.stdout.readline()
    cloud.kill()
    cloud.wait()
    cloud.stdout.close()
    assert stopped(folder)


def test_what_does_not_start_is_one_clear_error(folder: Path) -> None:
    folder.parent.mkdir(exist_ok=True)
    folder.write_text("no folder")
    with pytest.raises(UserError, match=r"PostgreSQL does not start; see .*keeper\.log"), running(folder):
        pass
