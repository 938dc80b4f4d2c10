"""`logstats migrate`: bring a database to this code's schema."""

import typer

from local.commands.database import DatabaseUrlOption, connect_settings


def migrate(database_url: DatabaseUrlOption = None) -> None:
    """Create or upgrade the schema of a database; nothing happens when it is up to date."""
    from logstats.database import create_engine  # noqa: PLC0415 - other commands need no database
    from migrate import schema  # noqa: PLC0415

    with connect_settings(database_url) as settings:
        engine = create_engine(settings)
        try:
            before, after = schema.upgrade(engine)
        finally:
            engine.dispose()
    typer.echo(f"schema {after}" + (" (unchanged)" if before == after else f", was {before or 'empty'}"))
