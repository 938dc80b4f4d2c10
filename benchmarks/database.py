"""A PostgreSQL of a benchmark's own, which unlike the tests' waits for its disk."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import postgres
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from migrate import schema


@contextmanager
def running(configuration: str = "") -> Iterator[tuple[EmbeddedPostgres, Path]]:
    """Start a server with an empty database `logstats`, beside a folder for anything; both are gone at the end."""
    with tempfile.TemporaryDirectory(prefix="logstats-bench-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)  # the server may run as another user
        server = postgres.start(Path(folder) / "data", configuration)
        try:
            server.create_database("logstats")
            engine = create_engine(server.settings())
            schema.upgrade(engine)
            engine.dispose()
            yield server, Path(folder)
        finally:
            server.stop()
