"""The embedded PostgreSQL of the local cloud, kept by a process of its own.

PostgreSQL is a daemon: it would outlive a killed parent. Its keeper does outlive it, just long enough to stop
the server: ``python -m local.cloud.database FOLDER`` starts the server, prints its URL, and stops it when
standard input closes.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from local import postgres
from local.cloud.processes import Child
from local.errors import UserError

DATABASE = "logstats"
_STOP_SECONDS = 30.0


@contextmanager
def running(folder: Path, log: Path) -> Iterator["StartingDatabase"]:
    """Start the server of a folder; stop it at the end, unless other processes still use it."""
    keeper = Child([sys.executable, "-m", "local.cloud.database", str(folder)], os.environ, log, talks=True)
    try:
        yield StartingDatabase(keeper, log)
    finally:
        keeper.hang_up(_STOP_SECONDS)


class StartingDatabase:
    """A server that may still be starting."""

    def __init__(self, keeper: Child, log: Path) -> None:
        self._keeper, self._log = keeper, log

    def url(self) -> str:
        """Wait until the database answers, and return its URL.

        Raises
        ------
        UserError
            If PostgreSQL does not start.
        """
        line = self._keeper.answers.readline().decode().strip()
        if not line:
            raise UserError(f"PostgreSQL does not start; see {self._log}")
        return line


def main() -> None:
    """Keep a server until standard input closes."""
    server = postgres.start(Path(sys.argv[1]))
    try:
        print(server.create_database(DATABASE), flush=True)
        sys.stdin.buffer.read()
    finally:
        server.stop()


if __name__ == "__main__":
    main()
