"""logstats export: every customer and day of a range as CSV."""

import datetime as dt
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from api.database.reader import Reader
from api.fleet.export import csv_of_days
from local.commands.answers import with_reader
from local.commands.database import DatabaseUrlOption, open_database
from local.commands.output import open_output
from local.commands.values import FirstDayOption, LastDayOption, days
from local.display import progress_bar


def export(
    *,
    first: FirstDayOption,
    last: LastDayOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="The file to write; by default stdout."),
    ] = None,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Write the statistics of all customers and days of a range."""
    first_day, last_day = days(first, last)

    async def write(reader: Reader, file: BinaryIO) -> None:
        with progress_bar("Exporting") as progress:
            async for piece in csv_of_days(reader, first_day, last_day or dt.date.max):
                file.write(piece)
                progress(piece.count(b"\n"))

    with open_database(database_url) as database, open_output(output) as file:
        with_reader(database, lambda reader: write(reader, file))
