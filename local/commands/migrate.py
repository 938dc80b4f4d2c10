"""`logstats migrate`: bring a database to this code's schema."""

import typer

from local.commands.database import DatabaseUrlOption, open_engine
from migrate import schema


def migrate(database_url: DatabaseUrlOption = None) -> None:
    """Create or upgrade the schema of a database.

    Nothing happens when it is up to date.
    """
    with open_engine(database_url, migrated=False) as engine:
        before, after = schema.upgrade(engine)
    typer.echo(f"schema {after}" + (" (unchanged)" if before == after else f", was {before or 'empty'}"))
