"""MiniStack, the emulated AWS, as a child process on 127.0.0.1."""

import os
import shutil
import socket
import ssl
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import boto3
import botocore.session
from botocore.config import Config

from cdk import ROOT
from local.cloud.certificates import Certificates
from local.cloud.environments import EMULATOR, interpreter
from local.cloud.processes import Child
from local.errors import UserError

ACCOUNT = "000000000000"
REGION = "us-east-1"
# pragma: allowlist nextline secret - the emulator's administrator, the same for everybody
ACCESS_KEY = SECRET_KEY = "test"  # nosec B105 # noqa: S105 - see above
_START_SECONDS = 30.0


class Endpoint:
    """Where an emulated AWS answers: the URL of every service, and whom to trust when it is https."""

    def __init__(self, endpoint: str, ca_bundle: Path | None = None) -> None:
        self.endpoint, self.ca_bundle = endpoint, ca_bundle
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def client(self, service: str) -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
        """Return the administrator's client of a service; it knows nothing of the user's AWS configuration."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._session.client(  # type: ignore[call-overload]  # the name is no literal
                    service,
                    endpoint_url=self.endpoint,
                    config=Config(proxies={}),
                    verify=str(self.ca_bundle) if self.ca_bundle else None,
                )
            return self._clients[service]

    @property
    def tls(self) -> ssl.SSLContext | None:
        """The context in which a client trusts it; None when its URL is http."""
        return ssl.create_default_context(cafile=self.ca_bundle) if self.ca_bundle else None

    @cached_property
    def _session(self) -> boto3.Session:
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


class Emulator(Endpoint):
    """An emulator that is started here, as a child process."""

    def __init__(self, endpoint: str, child: Child, log: Path, ca_bundle: Path | None = None) -> None:
        super().__init__(endpoint, ca_bundle)
        self.child, self._log = child, log

    def wait_until_healthy(self) -> None:
        """Wait until it answers; a `UserError` says that it does not."""
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=self.tls)
        )
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline and self.child.exit_code is None:
            try:
                with opener.open(f"{self.endpoint}/_ministack/health", timeout=2):
                    return
            except OSError:
                time.sleep(0.05)
        raise UserError(f"The emulator does not start; see {self._log}")


@contextmanager
def running(
    state: Path, port: int, logs: Path, issued: Certificates | None = None, *, enforce_iam: bool = False
) -> Iterator[Emulator]:
    """Start the emulator; its objects stay in `state`, everything else is forgotten at the end.

    Parameters
    ----------
    issued
        Its certificates, whose authority it trusts; needed for `enforce_iam`.
    enforce_iam
        Whether signatures are verified and policies evaluated, and TLS is spoken, without which the policies
        would deny everything.
    """
    log = logs / "emulator.log"
    environment = _environment(state, _scratch(state / "tmp"), port, logs)
    if issued:
        environment["SSL_CERT_FILE"] = str(issued.bundle)
    tls = issued if enforce_iam else None
    if tls:  # the zip functions inherit whom to trust
        served, trusted = str(tls.emulator), str(tls.bundle)
        environment |= {"AUTH": "true", "USE_SSL": "1", "AWS_CA_BUNDLE": trusted}
        environment |= {"MINISTACK_SSL_CERT": served, "MINISTACK_SSL_KEY": served}
    command = [str(interpreter(EMULATOR)), str(ROOT / "local" / "emulator" / "launcher.py")]
    with Child(command, environment, log) as child:
        scheme = "https" if tls else "http"
        yield Emulator(f"{scheme}://127.0.0.1:{port}", child, log, tls.bundle if tls else None)


def _scratch(parent: Path) -> Path:
    """Return a new folder for temporary files; remove those of earlier runs."""
    shutil.rmtree(parent, ignore_errors=True)
    parent.mkdir(parents=True)
    return Path(tempfile.mkdtemp(dir=parent))


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


def check_port_is_free(port: int, purpose: str) -> None:
    """Fail early, and clearly, when a port is taken."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise UserError(f"Port {port} ({purpose}) cannot be used: {error.strerror}") from None
