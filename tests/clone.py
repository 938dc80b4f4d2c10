"""A clone of the repository as a new user has it, in which `make run` has just been typed."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg

from local import postgres
from local.cloud.emulator import Endpoint
from tests.integration.local.cloud.conftest import free_port

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ROOT = Path(__file__).parents[1]
HOME = "/home/you/logstats"
"""The clone in the documents."""
PORT, EMULATOR_PORT, SERVE_PORT = "8888", "4566", "8889"
"""The ports in the documents; a test takes free ones."""
BUCKET = "logstats-local-logs-000000000000-us-east-1"
_LOG = "api_requests.log"
_NOT_CLONED = shutil.ignore_patterns(
    ".git",
    ".venv",
    ".local",
    "build",
    "cdk.out",
    "node_modules",
    "*_cache",
    ".hypothesis",
    "__pycache__",
    "*.egg-info",
)


@dataclass(frozen=True)
class Clone:
    """A copy of the working tree, whose code its commands run; the environment is this one's.

    Attributes
    ----------
    folder
        The copy, with its own `.local/`.
    started
        The command that serves there.
    ports
        What the documents' ports are here.
    """

    folder: Path
    started: str
    ports: dict[str, str] = field(
        default_factory=lambda: {p: str(free_port()) for p in (PORT, EMULATOR_PORT, SERVE_PORT)}
    )

    @property
    def environment(self) -> dict[str, str]:
        """A user's variables: no database, no AWS and no make of another."""
        inherited = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AWS_", "DATABASE_", "API_", "LOGSTATS_", "MAKE", "PYTEST_", "COV_"))
            and name != "REJECTS_BUCKET"
        }
        return {
            **inherited,
            "COLUMNS": "160",
            "PYTHONPATH": os.pathsep.join(str(self.folder / part) for part in ("layers", "functions", ".")),
            "PYTHONDONTWRITEBYTECODE": "1",
            "LOGSTATS_API_PORT": self.ports[PORT],
            "LOGSTATS_EMULATOR_PORT": self.ports[EMULATOR_PORT],
        }

    def here(self, text: str) -> str:
        """Put this clone's folder and ports in the place of the documents'."""
        for shown, real in {**self.ports, HOME: str(self.folder)}.items():
            text = text.replace(shown, real)
        return text

    def reset(self) -> None:
        """Go back to where `make run` has shown its table: the one log ingested, nothing else there."""
        self._empty()
        cloned = {path.name for path in ROOT.iterdir()} | {".local"}
        for path in self.folder.iterdir():
            if path.name not in cloned:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        self._s3().upload_file(str(self.folder / _LOG), BUCKET, _LOG)
        with psycopg.connect(self._url(), autocommit=True) as connection:
            deadline = time.monotonic() + 60
            while not connection.execute(
                "SELECT 1 FROM log_objects WHERE committed_at IS NOT NULL"
            ).fetchone():
                assert time.monotonic() < deadline, "the log was not ingested"
                time.sleep(0.05)

    def _empty(self) -> None:
        s3 = self._s3()
        for bucket in (
            each["Name"] for each in s3.list_buckets()["Buckets"] if "logstats-local-" in each["Name"]
        ):
            for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
                for item in (*page.get("Versions", ()), *page.get("DeleteMarkers", ())):
                    s3.delete_object(Bucket=bucket, Key=item["Key"], VersionId=item["VersionId"])
        with psycopg.connect(self._url()) as connection:
            connection.execute(
                "TRUNCATE log_objects, attempts, attempt_parts, contributions, daily_statistics, customers RESTART IDENTITY"
            )

    def _url(self) -> str:
        return postgres.start(self.folder / ".local/postgres").url()

    def _s3(self) -> "S3Client":
        client: S3Client = Endpoint(f"http://127.0.0.1:{self.ports[EMULATOR_PORT]}").client("s3")
        return client


def recipe(target: str) -> str:
    """What a target of the Makefile runs at last, when everything is set up."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    said = subprocess.run(
        ["make", "--dry-run", target], cwd=ROOT, env=own, capture_output=True, text=True, check=True
    )
    return said.stdout.splitlines()[-1]


@contextmanager
def running() -> Iterator[Clone]:
    with tempfile.TemporaryDirectory(prefix="logstats-clone-", ignore_cleanup_errors=True) as temporary:
        clone = Clone(Path(temporary, "logstats").resolve(), recipe("run"))
        shutil.copytree(ROOT, clone.folder, ignore=_NOT_CLONED)
        (clone.folder / ".venv").symlink_to(Path(sys.prefix))
        (ROOT / "build").mkdir(exist_ok=True)
        (clone.folder / "build").symlink_to(ROOT / "build")
        log = Path(temporary, "make-run.log")
        with log.open("wb") as output:
            cloud = subprocess.Popen(
                clone.started.split(), cwd=clone.folder, env=clone.environment, stdout=output, stderr=output
            )
        try:
            while "Ctrl-C stops it" not in log.read_text():
                with suppress(subprocess.TimeoutExpired):
                    cloud.wait(0.1)
                    raise AssertionError(log.read_text())
            yield clone
        finally:
            cloud.send_signal(signal.SIGINT)
            cloud.wait(60)
