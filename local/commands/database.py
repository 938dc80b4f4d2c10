"""What the commands share: the option that names a database, and the way to open it."""

from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from logstats.settings import DatabaseSettings

_CHECKOUT = Path(__file__).resolve().parents[2]
LOCAL_FOLDER = (_CHECKOUT if (_CHECKOUT / "pyproject.toml").is_file() else Path.cwd()) / ".local"
"""What the command line keeps: in the checkout, wherever it is called from; else in the current folder."""

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


def open_database(url: str | None, *, migrated: bool = True) -> AbstractContextManager["DatabaseSettings"]:
    """Provide the database of a URL, or else the embedded one, as `local.database.open_database` says."""
    from local import database  # noqa: PLC0415 - slow to import, and not every command needs it

    return database.open_database(url, LOCAL_FOLDER / "postgres", migrated=migrated)
