"""What the commands share: the option that names a database, and the way to open it."""

from contextlib import AbstractContextManager
from typing import Annotated

import typer

from local import database
from local.commands.folder import LOCAL_FOLDER
from logstats.settings import DatabaseSettings

DatabaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="DATABASE_URL",
        metavar="URL",
        show_default=False,
        help="PostgreSQL to use, as postgresql://user@host:5432/name or postgresql://user@/name?host=/socket/folder, "
        "with ?sslmode=disable|prefer|require|verify-full (default: prefer) and ?sslrootcert=FILE. "
        "Without it: the embedded PostgreSQL in .local/postgres.",
    ),
]


def open_database(url: str | None, *, migrated: bool = True) -> AbstractContextManager[DatabaseSettings]:
    """Provide the database of a URL, or else the embedded one, as `local.database.open_database` says."""
    return database.open_database(url, LOCAL_FOLDER / "postgres", migrated=migrated)
