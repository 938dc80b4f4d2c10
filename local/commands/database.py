"""Shared by the commands: the option that names a database, and the way to open it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Annotated

import sqlalchemy as sa
import typer

from local import database
from local.commands.folder import LOCAL_FOLDER
from logstats.database import create_engine
from logstats.settings import DatabaseSettings

DatabaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="DATABASE_URL",
        metavar="URL",
        show_default=False,
        help="A PostgreSQL, as postgresql://user@host:5432/name, instead of the embedded one. docs/cli.md says more.",
    ),
]


def open_database(url: str | None, *, migrated: bool = True) -> AbstractContextManager[DatabaseSettings]:
    """Provide the database of a URL, or else the embedded one, as `local.database.open_database` says."""
    return database.open_database(url, LOCAL_FOLDER / "postgres", migrated=migrated)


@contextmanager
def open_engine(url: str | None, *, migrated: bool = True) -> Iterator[sa.Engine]:
    """Provide an engine of the database that `open_database` provides."""
    with open_database(url, migrated=migrated) as settings:
        engine = create_engine(settings)
        try:
            yield engine
        finally:
            engine.dispose()
