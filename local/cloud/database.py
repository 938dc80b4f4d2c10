"""The embedded PostgreSQL of the local cloud, kept by a process of its own.

PostgreSQL is a daemon: it would outlive a killed parent. Its keeper does outlive it, just long enough to stop
the server: ``python -m local.cloud.database FOLDER`` starts the server, prints its URL, and stops it when
standard input closes.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from local import postgres
from local.cloud.processes import Child
from local.errors import UserError

_STOP_SECONDS = 30.0


@contextmanager
def running(folder: Path, log: Path) -> Iterator[Callable[[], str]]:
    """Start the server of a folder; stop it at the end, unless other processes still use it.

    Provides a function that waits until the database answers, and returns its URL; a `UserError` if it does not start.
    """
    keeper = Child([sys.executable, "-m", "local.cloud.database", str(folder)], os.environ, log, talks=True)

    def url() -> str:
        line = keeper.answers.readline().decode().strip()
        if not line:
            raise UserError(f"PostgreSQL does not start; see {log}")
        return line

    try:
        yield url
    finally:
        keeper.hang_up(_STOP_SECONDS)


def main() -> None:
    """Keep a server until standard input closes."""
    server = postgres.start(Path(sys.argv[1]))
    try:
        print(server.create_database("logstats"), flush=True)
        sys.stdin.buffer.read()
    finally:
        server.stop()


if __name__ == "__main__":
    main()
