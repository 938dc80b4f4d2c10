"""`logstats up` from start to Ctrl-C, as `make run` calls it: every part is real."""

import gzip
import json
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from cdk import ROOT
from local.cloud.emulator import Endpoint
from tests.e2e.enforced import eventually
from tests.integration.local.cloud.conftest import free_port
from tests.unit.local.cloud.test_processes import eventually_gone

LOG = ROOT / "api_requests.log"
START_SECONDS = 150
LOGSTATS = (sys.executable, "-c", "from local.cli import main; main()")


@dataclass
class Up:
    """A `logstats up` on free ports."""

    state: Path
    arguments: tuple[str, ...]
    port: int
    emulator_port: int
    output: str = ""

    def __post_init__(self) -> None:
        command = [
            *(*LOGSTATS, "up", "--state", str(self.state), "--port", str(self.port)),
            *("--emulator-port", str(self.emulator_port), *self.arguments),
        ]
        self.process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait(self) -> None:
        """Read the output until everything runs."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.output += line
            if "Ctrl-C stops it" in line:
                return
        assert self.process.stderr is not None
        raise AssertionError(self.output + self.process.stderr.read())

    def family(self) -> list[int]:
        """Every process that it has started, and the database's."""
        started = psutil.Process(self.process.pid).children(recursive=True)
        pids = [process.pid for process in started]
        pid_file = self.state / "postgres" / "postmaster.pid"
        if pid_file.exists():
            pids.append(abs(int(pid_file.read_text().split()[0])))  # negative while it is set up
        return pids

    def running(self, program: str) -> list[psutil.Process]:
        """The processes that it has started, and they, of a program."""
        started = psutil.Process(self.process.pid).children(recursive=True)
        return [each for each in started if any(program in argument for argument in each.cmdline())]

    def end(self, how: signal.Signals) -> tuple[int, str]:
        """End it; return its exit code and what it has said on standard error."""
        self.process.send_signal(how)
        _, errors = self.process.communicate(timeout=60)
        return self.process.returncode, errors

    def close(self) -> None:
        """Make sure that it has ended."""
        if self.process.poll() is None:
            self.end(signal.SIGKILL)
        for stream in (self.process.stdout, self.process.stderr):
            if stream:
                stream.close()

    def get(self, path: str) -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as response:
            days: list[dict[str, Any]] = json.load(response)
        return days

    def total(self, customer: str = "cust_1") -> int:
        days = self.get(f"/customers/{customer}/stats?from=0001-01-01")
        return sum(day["total_requests"] for day in days)

    def put(self, key: str, body: bytes) -> None:
        (bucket,) = re.findall(r"s3://([^/\s]+)/", self.output)[:1]
        s3 = Endpoint(f"http://127.0.0.1:{self.emulator_port}").client("s3")
        s3.put_object(Bucket=bucket, Key=key, Body=body)


Start = Callable[..., Up]
pytestmark = pytest.mark.walkthroughs


@pytest.fixture
def state(postgres_folder: Path) -> Iterator[Path]:
    folder = postgres_folder / f"state-{time.monotonic_ns()}"
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def start(state: Path) -> Iterator[Start]:
    started: list[Up] = []

    def _start(*arguments: str, port: int = 0, emulator_port: int = 0) -> Up:
        ports = port or free_port(), emulator_port or free_port()
        started.append(Up(state, arguments, *ports))
        return started[-1]

    yield _start
    for up in started:
        up.close()


def expected_requests(log: Path, customer: str) -> int:
    return sum(line.split(" ")[2] == customer for line in log.read_text().splitlines())


@pytest.mark.timeout(600)
def test_from_start_to_ctrl_c_and_again(start: Start, state: Path) -> None:
    up = start("--upload", str(LOG))
    up.wait()
    assert "api_requests.log: ingested, 10,000 lines" in up.output
    assert "auth=none" in up.output
    assert up.output.startswith(f"The page: http://localhost:{up.port}/\n")
    assert f"http://localhost:{up.port}/customers/cust_1/stats?from=2024-09-03" in up.output
    assert re.search(r"2024-10-03 +\d+ ", up.output), "the table"
    first = expected_requests(LOG, "cust_1")
    assert up.total() == first
    assert up.get("/customers/nobody/stats?from=2024-09-03") == []
    with pytest.raises(urllib.error.HTTPError, match="422"):
        up.get("/customers/cust_1/stats")

    # A second log, with rejected lines, under a key that S3 has to encode.
    lines = LOG.read_text().splitlines()
    up.put("more logs/ä+1.log", ("\n".join([*lines, "broken"]) + "\n").encode())
    assert eventually(lambda: up.total() == 2 * first, 30)

    for name in ("processor", "api", "migrate", "emulator", "postgres"):
        assert name in up.output
    assert "Log object processed" in (state / "logs" / "processor.log").read_text()
    assert (state / "logs" / "migrate.log").read_text()
    family = up.family()
    assert len(family) >= 4  # keeper, emulator, processor, API, PostgreSQL
    assert up.end(signal.SIGINT) == (0, "")
    assert [pid for pid in family if not eventually_gone(pid)] == []

    again = start("--upload", str(LOG))
    again.wait()
    assert "api_requests.log: unchanged, 10,000 lines" in again.output
    assert again.total() == 2 * first
    family = again.family()
    assert again.end(signal.SIGTERM) == (0, "")
    assert [pid for pid in family if not eventually_gone(pid)] == []


def test_killed_it_leaves_no_process_and_loses_no_upload(start: Start, state: Path) -> None:
    up = start()
    up.wait()
    assert "CUSTOMER" in up.output  # there is nobody yet
    family = up.family()
    up.end(signal.SIGKILL)
    assert [pid for pid in family if not eventually_gone(pid)] == []

    # An object that arrived, but whose message went down with the queue.
    again = start()
    again.wait()
    for process in again.running("runtime.py"):
        process.suspend()
    again.put("late.log", LOG.read_bytes())
    time.sleep(0.3)
    again.end(signal.SIGKILL)
    third = start()
    third.wait()
    assert "Left by the last run, and now delivered: late.log" in third.output
    assert eventually(lambda: third.total() == expected_requests(LOG, "cust_1"), 30)


@pytest.mark.parametrize(
    ("how", "seconds"),
    [(signal.SIGINT, 0.4), (signal.SIGTERM, 0), (signal.SIGTERM, 1.5), (signal.SIGKILL, 1.5)],
)
def test_ended_in_the_middle_of_the_start_it_leaves_no_process(
    start: Start, how: signal.Signals, seconds: float
) -> None:
    up = start()
    assert eventually((up.state / "cloud.json").exists, 30)
    time.sleep(seconds)
    family = up.family()
    code, errors = up.end(how)
    assert code in {130, -how.value}, errors
    assert "Traceback" not in errors
    assert [pid for pid in family if not eventually_gone(pid)] == []
    assert eventually(lambda: not (up.state / "postgres" / "postmaster.pid").exists(), 30)


def test_a_failed_ingest_is_told_with_its_reason(start: Start, tmp_path: Path) -> None:
    broken = tmp_path / "broken.log.gz"
    broken.write_bytes(gzip.compress(b"")[:-3])
    up = start("--upload", str(broken))
    output, errors = up.process.communicate(timeout=START_SECONDS)
    assert up.process.returncode == 1
    assert errors.startswith("logstats: broken.log.gz could not be ingested: ")
    assert errors.count("\n") == 1
    assert "gzip" in errors.lower()
    assert output == ""


@pytest.mark.parametrize("taken", ["port", "emulator_port"])
def test_a_port_in_use_is_one_clear_error(start: Start, taken: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        up = start(**{taken: port})
        _, errors = up.process.communicate(timeout=60)
    assert up.process.returncode == 1
    assert errors.startswith(f"logstats: Port {port} (")
    assert errors.count("\n") == 1


def test_a_failing_upload_is_told_a_second_one_refused_and_down_stops_the_first(
    start: Start, state: Path
) -> None:
    up = start()
    up.wait()
    up.put("bad.log.gz", gzip.compress(b"")[:-3])
    assert up.process.stderr is not None
    assert up.process.stderr.readline().startswith("bad.log.gz could not be ingested: ")
    second = start()
    _, errors = second.process.communicate(timeout=60)
    assert second.process.returncode == 1
    assert f"runs already in {state} (process {up.process.pid})" in errors
    family = up.family()
    down = [*LOGSTATS, "down", "--state", str(state)]
    stopped = subprocess.run(down, cwd=ROOT, capture_output=True, text=True, check=True)
    assert stopped.stdout == f"Stopped the local cloud (process {up.process.pid}).\n"
    assert [pid for pid in family if not eventually_gone(pid)] == []
    nothing = subprocess.run(down, cwd=ROOT, capture_output=True, text=True, check=True)
    assert nothing.stdout == "No local cloud runs.\n"
    quiet = subprocess.run([*down, "--quiet"], cwd=ROOT, capture_output=True, text=True, check=True)
    assert quiet.stdout == ""


def test_an_emulator_that_dies_is_told(start: Start) -> None:
    up = start()
    up.wait()
    up.running("launcher.py")[0].kill()
    _, errors = up.process.communicate(timeout=60)
    assert up.process.returncode == 1
    assert "The emulator has ended unexpectedly; see " in errors


def test_with_iam_enforced_it_signs_and_others_must(start: Start) -> None:
    up = start("--enforce-iam", "--upload", str(LOG))
    up.wait()
    assert re.search(r"2024-10-03 +\d+ ", up.output), "the table, which was asked for with a signature"
    assert "auth=none" not in up.output
    with pytest.raises(urllib.error.HTTPError, match="403"):
        up.total()
    assert f"aws --endpoint-url https://127.0.0.1:{up.emulator_port}" in up.output
    assert up.end(signal.SIGINT) == (0, "")


def test_with_tokens_and_iam_it_says_how_to_use_them(start: Start) -> None:
    up = start("--tokens", "--enforce-iam", "--upload", str(LOG))
    up.wait()
    assert re.search(r"2024-10-03 +\d+ ", up.output), "the table, which was asked for with a token"
    assert "auth=none" not in up.output
    with pytest.raises(urllib.error.HTTPError, match="401"):
        up.total()
    (command,) = re.findall(r"curl -H .*$", up.output, re.MULTILINE)
    done = subprocess.run(
        ["bash", "-c", f"{command} --silent --fail"], capture_output=True, text=True, check=True
    )
    assert len(json.loads(done.stdout)) == 30
    files = {path.name: path for path in (up.state / "tokens").iterdir()}
    assert files.keys() == {"every_customer", "cust_1"}
    assert {path.stat().st_mode & 0o777 for path in files.values()} == {0o600}
    other = command.replace("every_customer", "cust_1").replace("/customers/cust_1/", "/customers/cust_2/")
    refused = subprocess.run(["bash", "-c", f"{other} --silent"], capture_output=True, text=True, check=True)
    assert json.loads(refused.stdout)["status"] == 403
    assert up.end(signal.SIGINT) == (0, "")
