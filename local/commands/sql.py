"""`logstats sql`: look into the tables."""

import json
import math
from typing import Annotated, Any

import psycopg
import typer

from local.commands.database import DatabaseUrlOption, open_engine
from local.errors import UserError
from local.tables import print_rows

_MOST_ROWS = 10_000


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One statement that reads.")],
    database_url: DatabaseUrlOption = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as one line of JSON.")] = False,
) -> None:
    """Show what a query finds in the tables.

    The transaction is read-only; at most 10,000 rows are shown. A pipe gets them with tabs between the columns.
    """
    with open_engine(database_url) as engine, engine.connect() as connection:
        try:
            names, rows = _find(connection.connection.driver_connection, query)
        except psycopg.Error as error:
            connection.invalidate()  # which may be in a COPY, or lost: it cannot be rolled back
            raise UserError(str(error).splitlines()[0]) from None
    if as_json and (twice := next((name for name in names if names.count(name) > 1), None)):
        raise UserError(f"two columns are named {twice}: for --json, name one of them with AS")
    shown = [[_cell(value) for value in row] for row in rows[:_MOST_ROWS]]
    if as_json:
        print(json.dumps([dict(zip(names, row, strict=True)) for row in shown]))
    else:
        print_rows(names, shown)
    if len(rows) > _MOST_ROWS:
        typer.echo(f"only the first {_MOST_ROWS:,} rows are shown", err=True)


def _find(connection: Any, query: str) -> tuple[list[str], list[Any]]:  # noqa: ANN401 - psycopg's
    """Return names and rows. It is prepared, so it cannot be several statements, of which the first is COMMIT."""
    connection.read_only = True
    with connection.execute(query, prepare=True) as found:
        if found.description is None:
            raise UserError("the statement does not return rows")
        return [column.name for column in found.description], found.fetchmany(_MOST_ROWS + 1)


def _cell(value: object) -> object:
    """Return a value as JSON has it; bytes by their length, for histograms are long."""
    if isinstance(value, bytes):
        return f"<{len(value):,} bytes>"
    if isinstance(value, list):
        return [_cell(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)  # JSON has no such number
    return value if isinstance(value, int | float | str | dict | None) else str(value)
