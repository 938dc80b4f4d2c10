"""The database that a command works on: one given by URL, or the embedded one in `.local/`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from local import paths
from local.errors import UserError
from logstats.settings import DatabaseSettings, SettingsError, load

DatabaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--database-url",
        envvar="DATABASE_URL",
        help="postgresql://user@host:port/name, or with ?host=/socket/folder. [default: the embedded PostgreSQL]",
        show_default=False,
    ),
]


@contextmanager
def connect_settings(url: str | None) -> Iterator[DatabaseSettings]:
    """Yield settings of the database of a URL, or of the embedded one, which runs meanwhile.

    A URL may say `sslmode`; without, TLS is used when the server offers it. AWS sign-in is not used.

    Raises
    ------
    UserError
        If the URL is malformed, or nothing answers there.
    """
    if url is None:
        from local import postgres  # noqa: PLC0415 - slow to import

        server = postgres.start(paths.POSTGRES)
        try:
            server.create_database("logstats")
            yield server.settings()
        finally:
            server.stop()
        return
    settings = _settings_of(url)
    _check_reachable(settings)
    yield settings


@contextmanager
def open_database(url: str | None) -> Iterator[DatabaseSettings]:
    """Yield settings of a database that has this code's schema; the embedded one is migrated by the way.

    Raises
    ------
    UserError
        As `connect_settings`, or if the database lacks the schema.
    """
    from logstats.database import create_engine  # noqa: PLC0415 - slow to import
    from migrate import schema  # noqa: PLC0415

    with connect_settings(url) as settings:
        engine = create_engine(settings)
        try:
            if url is None:
                schema.upgrade(engine)
            elif (revision := schema.current(engine)) != schema.head():
                state = (
                    f"has schema {revision}, not {schema.head()}" if revision else "has no logstats schema"
                )
                raise UserError(f"the database {state}; run: logstats migrate --database-url '{url}'")
        finally:
            engine.dispose()
        yield settings


def _settings_of(url: str) -> DatabaseSettings:
    import sqlalchemy as sa  # noqa: PLC0415 - slow to import

    try:
        parsed = sa.make_url(url)
        tls = {"disable": "disable", "verify-full": "verify-full"}.get(
            str(parsed.query.get("sslmode")), "prefer"
        )
        return load(DatabaseSettings, url=url, tls=tls, iam_auth=False)
    except (sa.exc.ArgumentError, ValueError, SettingsError):
        raise UserError("--database-url must look like postgresql://user@host:port/name") from None


def _check_reachable(settings: DatabaseSettings) -> None:
    import sqlalchemy as sa  # noqa: PLC0415 - slow to import

    from logstats.database import create_engine  # noqa: PLC0415

    engine = create_engine(settings)
    try:
        engine.connect().close()
    except sa.exc.SQLAlchemyError as error:
        reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
        raise UserError(f"cannot reach the database: {reason}") from None
    finally:
        engine.dispose()
