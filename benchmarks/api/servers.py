"""The servers under load, each a process of its own on a free port, all on one database."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

_PATIENCE_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to serve the API: a name, its command (``{port}`` is filled in) and settings."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str]


_BIN = Path(sys.executable).parent
_SERVE = (str(_BIN / "logstats"), "serve", "--port", "{port}")
TEXTBOOK = Contender(
    "textbook",
    (str(_BIN / "uvicorn"), "benchmarks.api.textbook:app", "--port", "{port}", "--no-access-log"),
    {},
)
UNCACHED = Contender("logstats, cache off", _SERVE, {"API_CACHE_BYTES": "0"})
CACHED = Contender("logstats", _SERVE, {})


@dataclass(frozen=True, slots=True)
class Server:
    """A running contender."""

    contender: Contender
    port: int
    process: "subprocess.Popen[bytes]"

    def url(self, target: str) -> str:
        """Return the address of a path with its query."""
        return f"http://127.0.0.1:{self.port}{target}"

    def cpu_seconds(self) -> float:
        """Return the CPU time used so far by the server's processes."""
        return sum(sum(process.cpu_times()[:2]) for process in self._family())

    def resident_bytes(self) -> int:
        """Return the memory held by the server's processes."""
        return sum(process.memory_info().rss for process in self._family())

    def _family(self) -> list[psutil.Process]:
        parent = psutil.Process(self.process.pid)
        return [parent, *parent.children(recursive=True)]


@contextmanager
def running(contender: Contender, database_url: str) -> Iterator[Server]:
    """Start a contender, wait until it listens, and stop it in the end."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [part.format(port=port) for part in contender.command],
        env={**os.environ, "DATABASE_URL": database_url, **contender.environment},
        stderr=subprocess.DEVNULL,
    )
    try:
        server = Server(contender, port, process)
        _wait(server)
        yield server
    finally:
        process.terminate()
        process.wait(_PATIENCE_SECONDS)


def _wait(server: Server) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while True:
        try:
            httpx.get(server.url("/openapi.json"), timeout=5).raise_for_status()
        except httpx.TransportError:
            if server.process.poll() is not None or time.monotonic() > until:
                raise SystemExit(
                    f"{server.contender.name} does not start: {server.contender.command}"
                ) from None
            time.sleep(0.1)
        else:
            return
