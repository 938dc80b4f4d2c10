"""MiniStack, the emulated AWS, as a child process on 127.0.0.1."""

import os
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
import botocore.session
from botocore.config import Config

from cdk.bundling import ROOT
from local.cloud.environments import EMULATOR, interpreter
from local.cloud.processes import Child
from local.errors import UserError

ACCOUNT = "000000000000"
REGION = "us-east-1"
ACCESS_KEY = SECRET_KEY = "test"  # noqa: S105 - the emulator's administrator
_START_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where an emulated AWS answers.

    Attributes
    ----------
    endpoint
        The URL of every service.
    """

    endpoint: str

    @property
    def session(self) -> boto3.Session:
        """A session that knows nothing of the user's own AWS configuration."""
        core = botocore.session.Session(
            session_vars={
                "profile": (None, None, None, None),
                "config_file": (None, None, os.devnull, None),
                "credentials_file": (None, None, os.devnull, None),
            }
        )
        return boto3.Session(
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
            region_name=REGION,
            botocore_session=core,
        )

    @property
    def config(self) -> Config:
        """The configuration of a client: straight to the endpoint."""
        return Config(proxies={"http": "", "https": ""}, retries={"total_max_attempts": 3})


@dataclass(frozen=True, slots=True)
class Emulator(Endpoint):
    """A running emulator."""

    child: Child


@contextmanager
def running(state: Path, port: int, logs: Path) -> Iterator[Emulator]:
    """Start the emulator; its objects stay in `state`, everything else is forgotten at the end.

    Raises
    ------
    UserError
        If it does not start.
    """
    log = logs / "emulator.log"
    scratch = state / "emulator"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    command = [str(interpreter(EMULATOR)), str(ROOT / "local" / "emulator" / "launcher.py")]
    with Child(command, _environment(state, scratch, port, logs), log) as child:
        emulator = Emulator(f"http://127.0.0.1:{port}", child)
        _wait_until_healthy(emulator, log)
        yield emulator


def _environment(state: Path, scratch: Path, port: int, logs: Path) -> dict[str, str]:
    """Return all that the emulator, and through it the zip functions, know of this machine."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "HOME": str(scratch),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "localhost",
        "GATEWAY_PORT": str(port),
        "MINISTACK_REGION": REGION,
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(state / "s3"),
        "SFTP_ENABLED": "0",
        "IOT_MTLS_ENABLED": "0",
        "DOCKER_HOST": f"unix://{scratch}/no-docker.sock",
        "AWS_EC2_METADATA_DISABLED": "true",
        "LOGSTATS_FUNCTION_LOGS": str(logs),
    }


def _wait_until_healthy(emulator: Emulator, log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and emulator.child.exit_code is None:
        try:
            with opener.open(f"{emulator.endpoint}/_ministack/health", timeout=2):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise UserError(f"The emulator does not start; see {log}")


def check_port_is_free(port: int, purpose: str) -> None:
    """Fail early, and clearly, when a port is taken.

    Raises
    ------
    UserError
        If something else listens on it.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(f"Port {port} ({purpose}) cannot be used: {error.strerror}") from None
