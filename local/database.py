"""The database that a command works on: the one of a URL, or else the embedded one."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import sqlalchemy as sa
from sqlalchemy.pool import NullPool

from local import postgres
from local.errors import UserError
from local.termination import deferred, stopped_by_exception, uninterrupted
from logstats.address import AddressError, parse
from logstats.database import create_engine
from logstats.settings import DatabaseSettings, SettingsError, load
from migrate import revision


@contextmanager
def open_database(url: str | None, folder: Path, *, migrated: bool = True) -> Iterator[DatabaseSettings]:
    """Provide a database that answers.

    Parameters
    ----------
    url
        A plain PostgreSQL URL; the database behind it is never migrated. None is the embedded server: it is
        started (or joined, if another command runs it), its database is migrated, and it is let go of on exit,
        also on SIGTERM, which raises `KeyboardInterrupt` within.
    folder
        Where the embedded server keeps its data.
    migrated
        Whether a database given by URL must have the schema of this code.

    Raises
    ------
    UserError
        If the URL is malformed, the database cannot be reached, its schema is missing or another one, or the
        embedded server does not start.
    """
    if url is None and os.environ.get("DATABASE_URL") == "":  # which the command line takes for none
        url = ""
    if url is not None:
        settings = parse_url(url)
        _check(settings, url, migrated=migrated)
        yield settings
        return
    with stopped_by_exception():
        with deferred():
            server = _start_embedded(folder)
        try:
            yield _migrated(server)
        finally:
            with uninterrupted():
                server.stop()


def parse_url(url: str) -> DatabaseSettings:
    """Return settings for a URL: TLS as its `sslmode` says (`prefer` without one), no IAM authentication.

    Raises
    ------
    UserError
        If the URL is malformed, or a variable of the environment is.
    """
    try:
        options = parse(url).options
        return load(
            DatabaseSettings,
            url=url,
            tls=options.get("sslmode", "prefer"),
            iam_auth=False,
            ca_file=options.get("sslrootcert"),
        )
    except (AddressError, SettingsError) as error:
        message = str(error)
        raise UserError(f"{message[0].upper()}{message[1:]}.") from None


def _check(settings: DatabaseSettings, url: str, *, migrated: bool) -> None:
    shown = sa.make_url(url).render_as_string(hide_password=True)
    engine = create_engine(settings, poolclass=NullPool)
    try:
        with engine.connect() as connection:
            found = revision.current(connection)
    except sa.exc.DBAPIError as error:
        raise UserError(f"The database {shown} does not answer: {_one_line(error.orig)}") from None
    if migrated and found is None:
        raise UserError(
            f"The database {shown} has no schema yet; run: logstats migrate --database-url '{shown}'"
        )
    if migrated and found != revision.HEAD:
        raise UserError(
            f"The database {shown} has schema {found}, this version works with {revision.HEAD}; "
            f"run: logstats migrate --database-url '{shown}'"
        )


def _start_embedded(folder: Path) -> postgres.EmbeddedPostgres:
    try:
        return postgres.start(folder)
    except (OSError, RuntimeError, AssertionError, subprocess.SubprocessError) as error:
        raise UserError(f"The embedded PostgreSQL in {folder} does not start: {_one_line(error)}") from None


def _migrated(server: postgres.EmbeddedPostgres) -> DatabaseSettings:
    try:
        server.create_database("logstats")
        settings = server.settings()
        engine = create_engine(settings, poolclass=NullPool)
        with engine.begin() as connection:
            is_current = revision.renew(connection)
        if not is_current:
            _upgrade(engine)
    except (psycopg.Error, sa.exc.SQLAlchemyError) as error:
        raise UserError(
            f"The embedded database in {server.folder} cannot be used: {_one_line(error)}"
        ) from None
    return settings


def _upgrade(engine: sa.Engine) -> None:
    from alembic.util.exc import CommandError  # noqa: PLC0415 - slow to import, and needed once for a version

    from migrate import schema  # noqa: PLC0415 - it imports Alembic

    try:
        schema.upgrade(engine)
    except CommandError as error:
        raise UserError(f"The embedded database cannot be migrated: {_one_line(error)}") from None


def _one_line(error: object) -> str:
    return " ".join(str(error).split())
