"""Containers as Lambda runs them: `docker` on the command line, and a way for them to reach the tests' PostgreSQL."""

import contextlib
import os
import shutil
import socket
import socketserver
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.cloud.execution import runtime_variables
from local.cloud.runtime_api import Invocation, Result, RuntimeApi
from tests.execution import VARIABLES

ROOT = Path(__file__).parent.parent.parent
DOCKER = os.environ.get("DOCKER", "docker")
HANDLER = "processor.handler.handler"
LAMBDA_USER = "993:990"


class DockerError(Exception):
    """Docker's own message."""


def output(command: Sequence[str], timeout: float, **environment: str) -> str:
    """Run a command in the repository and return all that it prints.

    Raises
    ------
    DockerError
        If it fails.
    """
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode:
        raise DockerError(done.stdout.strip())
    return done.stdout


def docker(*arguments: str, timeout: float = 120.0) -> str:
    """Run a docker command and return its output.

    Raises
    ------
    DockerError
        If it fails, or there is no such command.
    """
    if not shutil.which(DOCKER):
        raise DockerError(f"{DOCKER}: command not found")
    return output([DOCKER, *arguments], timeout)


def lambda_limits(memory_mib: int) -> tuple[str, ...]:
    """Options of `docker run` for what Lambda allows: memory without swap, /tmp, and little else."""
    return (
        *("--read-only", "--tmpfs", "/tmp:size=512m,mode=1777", "--ipc=none"),  # noqa: S108 - in the container
        *("--memory", f"{memory_mib}m", "--memory-swap", f"{memory_mib}m"),
        *("--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", LAMBDA_USER),
    )


@dataclass(frozen=True, slots=True)
class LambdaContainer:
    """A running container, and the server that invokes it."""

    api: RuntimeApi
    name: str

    def invoke(self, event: object, timeout: float = 60.0) -> Result:
        """Invoke the handler; if it does not answer, say what the container printed."""
        result = self.api.invoke(Invocation(event, time.time() + timeout))
        if result.kind == "timeout":
            state = docker("inspect", "--format", "{{json .State}}", self.name)
            raise AssertionError(f"{result.payload}; {state}{docker('logs', self.name)}")
        return result

    def run(self, *command: str) -> str:
        """Run a command in it."""
        return docker("exec", self.name, *command)

    def kill(self) -> None:
        """End it, as Lambda ends an environment."""
        docker("kill", self.name)


@contextlib.contextmanager
def lambda_container(
    image: str, variables: Mapping[str, str], memory_mib: int = 512, handler: str = HANDLER
) -> Iterator[LambdaContainer]:
    """Start the image as Lambda would."""
    with RuntimeApi() as api:
        settings = {**runtime_variables(api, handler), **VARIABLES, **variables}
        options = [f"--env={name}={value}" for name, value in settings.items()]
        limits = lambda_limits(memory_mib)
        name = docker("run", "--detach", "--network", "host", *limits, *options, image, handler).split()[-1]
        try:
            yield LambdaContainer(api, name)
        finally:
            docker("rm", "--force", "--volumes", name)


class _Relay(socketserver.BaseRequestHandler):
    path: str

    def handle(self) -> None:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.connect(self.path)
            back = threading.Thread(target=_copy, args=(server, self.request))
            back.start()
            _copy(self.request, server)
            back.join()


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
    for end in (source, target):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def relay(socket_path: Path) -> Iterator[int]:
    """Yield a TCP port of 127.0.0.1 that leads to a Unix socket, which containers could not open."""
    handler = type("Handler", (_Relay,), {"path": str(socket_path)})
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
