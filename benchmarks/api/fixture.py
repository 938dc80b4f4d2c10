"""A database of its own for a benchmark: an embedded PostgreSQL with the committed log in it."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import database

LOG = Path("api_requests.log")
LOGSTATS = str(Path(sys.executable).parent / "logstats")


@contextmanager
def prepared() -> Iterator[str]:
    """Provide the database's URL."""
    with database.running() as (server, _):
        ingest(LOG, server.url())
        yield server.url()


def ingest(log: Path, url: str) -> None:
    """Ingest a log, as a user does."""
    command = [LOGSTATS, "ingest", str(log), "--json", "--database-url", url]
    subprocess.run(command, check=True, capture_output=True)
