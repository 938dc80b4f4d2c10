"""The servers under load, each a process of its own on a free port, all on one database with the committed log in it."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil

from benchmarks import database

_PATIENCE_SECONDS = 30
LOG = Path("api_requests.log")
_BIN = Path(sys.executable).parent
_LOGSTATS = str(_BIN / "logstats")
_SERVE = [_LOGSTATS, "serve"]
Contender = tuple[list[str], dict[str, str]]
"""A way to serve the API: its command, which takes a port, and settings."""
TEXTBOOK: Contender = ([str(_BIN / "uvicorn"), "benchmarks.api.textbook:app", "--no-access-log"], {})
UNCACHED: Contender = (_SERVE, {"API_CACHE_BYTES": "0"})
CACHED: Contender = (_SERVE, {})


@dataclass(frozen=True, slots=True)
class Server:
    """A running contender."""

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
def prepared() -> Iterator[str]:
    """Provide the URL of an embedded PostgreSQL with the committed log in it."""
    with database.running() as (server, _):
        ingest(LOG, server.url())
        yield server.url()


def ingest(log: Path, url: str) -> None:
    """Ingest a log, as a user does."""
    command = [_LOGSTATS, "ingest", str(log), "--json", "--database-url", url]
    subprocess.run(command, check=True, capture_output=True)


@contextmanager
def running(contender: Contender, database_url: str) -> Iterator[Server]:
    """Start a contender, wait until it listens, and stop it in the end."""
    command, settings = contender
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [*command, "--port", str(port)],
        env={**os.environ, "DATABASE_URL": database_url, **settings},
        stderr=subprocess.DEVNULL,
    )
    try:
        server = Server(port, process)
        # Retries wait for 0, 0.5, 1, 2, 4 and 8 s.
        with httpx.Client(transport=httpx.HTTPTransport(retries=6), timeout=5) as client:
            client.get(server.url("/openapi.json")).raise_for_status()
        yield server
    finally:
        process.terminate()
        process.wait(_PATIENCE_SECONDS)
