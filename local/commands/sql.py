"""`logstats sql`: look into the tables."""

import json
from typing import Annotated, Any

import psycopg
import typer
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from local.commands.database import DatabaseUrlOption, open_engine
from local.display import visible
from local.errors import UserError
from local.tables import console

_MOST_ROWS = 10_000


def sql(
    query: Annotated[str, typer.Argument(help="One statement that reads.")],
    database_url: DatabaseUrlOption = None,
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the rows as one line of JSON.")] = False,
) -> None:
    """Show what a query finds; the transaction is read-only. At most 10,000 rows."""
    with open_engine(database_url) as engine, engine.connect() as connection:
        names, rows = _find(connection.connection.driver_connection, query)
    shown = [[_cell(value) for value in row] for row in rows[:_MOST_ROWS]]
    if as_json:
        print(json.dumps([dict(zip(names, row, strict=True)) for row in shown]))
    else:
        _show(names, shown)
    if len(rows) > _MOST_ROWS:
        typer.echo(f"only the first {_MOST_ROWS:,} rows are shown", err=True)


def _find(connection: Any, query: str) -> tuple[list[str], list[Any]]:  # noqa: ANN401 - psycopg's
    """Return names and rows. It is prepared, so it cannot be several statements, of which the first is COMMIT."""
    try:
        connection.read_only = True
        with connection.execute(query, prepare=True) as found:
            if found.description is None:
                raise UserError("the statement does not return rows")
            return [column.name for column in found.description], found.fetchmany(_MOST_ROWS + 1)
    except psycopg.Error as error:
        raise UserError(str(error).splitlines()[0]) from None


def _cell(value: object) -> object:
    """Return a value as JSON has it; bytes by their length, for histograms are long."""
    if isinstance(value, bytes):
        return f"<{len(value):,} bytes>"
    return value if isinstance(value, int | float | str | dict | list | None) else str(value)


def _show(names: list[str], rows: list[list[Any]]) -> None:
    screen = console()
    table = Table(box=SIMPLE_HEAD)
    for name in names:
        table.add_column(Text(visible(name)))
    for row in rows:
        table.add_row(*(Text("" if value is None else visible(str(value))) for value in row))
    with screen.capture() as drawn:
        screen.print(table)
    typer.echo("\n".join(line.rstrip() for line in drawn.get().splitlines() if line.strip()))
