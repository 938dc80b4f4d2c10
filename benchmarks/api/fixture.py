"""A database of its own for a benchmark: an embedded PostgreSQL with the committed log in it."""

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import postgres
from logstats.database import create_engine
from migrate import schema

LOG = Path("api_requests.log")
LOGSTATS = str(Path(sys.executable).parent / "logstats")


@contextmanager
def prepared() -> Iterator[str]:
    """Provide the database's URL."""
    with tempfile.TemporaryDirectory(prefix="logstats-bench-") as folder:
        Path(folder).chmod(0o755)
        server = postgres.start(Path(folder) / "data")
        try:
            url = server.create_database("logstats")
            engine = create_engine(server.settings())
            schema.upgrade(engine)
            engine.dispose()
            ingest(LOG, url)
            yield url
        finally:
            server.stop()


def ingest(log: Path, url: str) -> None:
    """Ingest a log, as a user does."""
    command = [LOGSTATS, "ingest", str(log), "--json", "--database-url", url]
    subprocess.run(command, check=True, capture_output=True)
