"""The installed `logstats serve`, over real HTTP."""

import datetime as dt
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from unittest import mock

import httpx
import psutil
import psycopg
import pytest
from sqlalchemy.pool import NullPool

from local import cli
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from tests import walkthrough
from tests.days import insert_day
from tests.e2e.test_ingest_command import COMMAND, run

ENDED = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'logstats-api'"
    " AND datname = current_database()"
)
EMBEDDED_ELSEWHERE = """
import sys
from pathlib import Path
import local.commands.database
local.commands.database.LOCAL_FOLDER = Path(sys.argv.pop(1))
from local.cli import main
main()
"""


class Serving:
    """A running `logstats serve` on a free port."""

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self.process = subprocess.Popen(
            [*command, "--port", "0"],
            env={**os.environ, **environment},
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert self.process.stderr is not None
        first = self.process.stderr.readline()
        found = re.match(r"http://127\.0\.0\.1:([0-9]+)/", first)
        assert found, first + self.process.stderr.read()
        self.port = int(found[1])
        self.client = httpx.Client(base_url=f"http://127.0.0.1:{self.port}", timeout=20)
        assert self.client.get("/openapi.json").status_code == 200

    def raw(self, target: str) -> tuple[int, bytes]:
        """Ask for a target as it stands: no client normalises it."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=20)
        connection.putrequest("GET", target, skip_host=True)
        connection.putheader("Host", "localhost")
        connection.endheaders()
        response = connection.getresponse()
        answer = response.status, response.read()
        connection.close()
        return answer

    def stop(self, number: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Stop it, and return the exit status and what it said on stderr after its first line."""
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.client.close()
        self.process.send_signal(number)
        status = self.process.wait(timeout=30)
        assert self.process.stdout is not None
        assert self.process.stderr is not None
        with self.process.stdout as stdout, self.process.stderr as stderr:
            said = stderr.read()
            assert stdout.read() == ""
        assert psutil.wait_procs(family, timeout=5)[1] == []
        return status, said


@contextmanager
def serving(*arguments: str, **environment: str) -> Iterator[Serving]:
    running = Serving([COMMAND, "serve", *arguments], environment)
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()


@pytest.fixture(scope="module")
def served(server: EmbeddedPostgres) -> str:
    return server.create_database("served", template="migrated")


@pytest.fixture(scope="module")
def api(served: str) -> Iterator[Serving]:
    with serving(DATABASE_URL=served) as running:
        yield running


@pytest.mark.parametrize(
    ("target", "status"),
    [
        ("/customers/a%2Fb/stats?from=2024-09-03", 200),
        ("/customers/%27%20OR%201=1/stats?from=2024-09-03", 200),
        ("/customers/%00/stats?from=2024-09-03", 422),
        ("/customers/%FF/stats?from=2024-09-03", 422),
        ("/customers/%ED%A0%80/stats?from=2024-09-03", 422),
        ("/customers/%/stats?from=2024-09-03", 200),
        (f"/customers/{'x' * 20000}/stats?from=2024-09-03", 422),
        ("/customers/cust_1/stats?%FF=%FF&from=2024-09-03", 422),
        ("/nothing", 404),
    ],
)
def test_no_request_is_an_error_of_ours(api: Serving, target: str, status: int) -> None:
    assert api.raw(target)[0] == status


def test_a_slash_in_a_customer_is_served(api: Serving, served: str) -> None:
    engine = create_engine(DatabaseSettings(url=served, tls="disable", iam_auth=False), poolclass=NullPool)
    insert_day(engine, "a/b", dt.date(2024, 9, 3))
    status, body = api.raw("/customers/a%2Fb/stats?from=2024-09-03")
    assert (status, body[:22]) == (200, b'[{"customer_id":"a/b",')


def test_trap_07_connections_that_postgresql_ends_are_replaced(api: Serving, served: str) -> None:
    """The farewell, the end of the stream and the next request arrive in any order."""
    with psycopg.connect(served, autocommit=True) as connection:
        for _ in range(30):
            for _ in range(2):
                assert api.client.get("/customers/nobody/stats?from=2024-09-03").json() == []
            assert connection.execute(ENDED).rowcount > 0
        for target in (
            "/overview",
            "/customers?from=2024-09-03",
            "/customers?from=2024-09-03&format=csv",
        ) * 3:
            assert api.client.get(target).status_code == 200
            assert connection.execute(ENDED).rowcount > 0


def test_the_loop_that_the_documents_show_reads_all_pages(api: Serving, served: str, tmp_path: Path) -> None:
    engine = create_engine(DatabaseSettings(url=served, tls="disable", iam_auth=False), poolclass=NullPool)
    for customer in ("=a", "b&c", "d e", 'f"g', "h,i"):
        insert_day(engine, customer, dt.date(2024, 9, 4), server_errors=len(customer) % 2)
    shown = walkthrough.shown("docs/api.md", 'next="?from=2024-09-04')
    loop = shown.replace("limit=1000", "limit=2")
    environment = {**os.environ, "API_URL": str(api.client.base_url)}
    subprocess.run(["bash", "-c", loop], cwd=tmp_path, env=environment, check=True)
    header, *rows = (tmp_path / "month.csv").read_bytes().splitlines(keepends=True)
    whole = api.client.get("/customers?from=2024-09-04&to=2024-10-03&format=csv").content
    assert header + b"".join(row for row in rows if row != header) == whole
    assert rows.count(header) == 2


@pytest.mark.parametrize(
    ("workers", "number"),
    [
        ("1", signal.SIGINT),
        ("1", signal.SIGHUP),
        ("2", signal.SIGTERM),
    ],
)
def test_every_way_to_stop_ends_cleanly(
    database: DatabaseSettings, workers: str, number: signal.Signals
) -> None:
    with serving("--workers", workers, DATABASE_URL=database.url) as running:
        assert running.client.get("/customers/cust_1/stats?from=2024-09-03").json() == []
        status, said = running.stop(number)
    assert status == 0
    assert said.splitlines() == [f"http://127.0.0.1:{running.port}/docs", "Ctrl-C stops."]


@pytest.mark.parametrize(("workers", "delay"), [("1", 0), ("2", 0.4)])
def test_ctrl_c_while_it_starts_ends_cleanly(served: str, workers: str, delay: float) -> None:
    """A terminal sends it to every process of the command."""
    command = [COMMAND, "serve", "--port", "0", "--workers", workers]
    environment = {**os.environ, "DATABASE_URL": served}
    with subprocess.Popen(
        command, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stderr is not None
        process.stderr.readline()
        time.sleep(delay)
        os.killpg(process.pid, signal.SIGINT)
        said = process.stderr.read()
        assert process.wait(30) == 0
    assert said.count("\n") == 2, said


def test_the_embedded_database_serves_all_workers_and_stops_with_them(postgres_folder: Path) -> None:
    folder = postgres_folder / "serve-2"
    command = [sys.executable, "-c", EMBEDDED_ELSEWHERE, str(folder), "serve", "--workers", "2"]
    running = Serving(command, {})
    postmaster = psutil.Process(int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0]))
    assert running.client.get("/customers/cust_1/stats?from=2024-09-03").json() == []
    status, said = running.stop(signal.SIGINT)
    assert (status, said.count("\n")) == (0, 2)
    assert not postmaster.is_running() or postmaster.status() == psutil.STATUS_ZOMBIE  # nobody waits for it


def test_a_port_in_use_is_one_clear_error(database: DatabaseSettings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = run("serve", "--port", port, DATABASE_URL=database.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"logstats: Port {port} on 127.0.0.1 is in use; stop what uses it, or choose another with --port.\n"
    )


@pytest.mark.parametrize(
    ("arguments", "environment", "message"),
    [
        (["--host", "no-such-host.invalid"], {}, "Cannot listen on no-such-host.invalid, port 8888: "),
        (["--port", "0"], {"DATABASE_URL": "postgresql://u@127.0.0.1:1/x"}, "does not answer: "),
        (["--port", "0"], {"API_POOL_SIZE": "many"}, "API_POOL_SIZE: "),
    ],
)
def test_what_it_cannot_do_is_one_clear_error(  # noqa: PLR0917 - fixtures and parameters
    database: DatabaseSettings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    environment: dict[str, str],
    message: str,
) -> None:
    monkeypatch.setattr("sys.argv", ["logstats", "serve", *arguments])
    variables = {"DATABASE_URL": database.url, **environment}  # and it sets others
    with mock.patch.dict(os.environ, variables), pytest.raises(SystemExit, match="1"):
        cli.main()
    output, errors = capsys.readouterr()
    assert output == ""
    assert message in errors
    assert errors.count("\n") == 1
