"""logstats stats: one customer's daily statistics."""

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError
from rich.text import Text

from api.database import Database, DatabaseAwayError
from api.parameters import CalendarDate, CustomerId, check_order
from api.settings import ApiSettings
from api.statistics import Question, Statistics
from local.commands.database import DatabaseUrlOption, open_database
from local.display import visible
from local.errors import UserError
from local.sparkline import sparkline
from local.tables import cell, console, print_days
from logstats.settings import DatabaseSettings, load

_SPARKLINE_WIDTH = 90


def stats(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")],
    *,
    first: Annotated[str, typer.Option("--from", metavar="YYYY-MM-DD", help="First UTC day.")],
    last: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="YYYY-MM-DD", show_default=False, help="Last UTC day; without it, all later days."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line: exactly what the API answers.")
    ] = False,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Show the daily statistics of a customer."""
    customer_id: str = _valid("CUSTOMER", CustomerId, customer)
    first_day: dt.date = _valid("--from", CalendarDate, first)
    last_day: dt.date = _valid("--to", CalendarDate, last) if last is not None else dt.date.max
    try:
        check_order(first_day, last_day)
    except ValueError as error:
        raise UserError(f"--to: {error}.") from None
    with open_database(database_url) as database:
        answer = asyncio.run(_read(database, customer_id, first_day, last_day))
    if as_json:
        typer.echo(answer)
    else:
        _show(customer_id, json.loads(answer))


def _valid(name: str, kind: Any, text: str) -> Any:  # noqa: ANN401 - an annotated type, and its value
    try:
        return TypeAdapter(kind).validate_python(text)
    except ValidationError as error:
        raise UserError(f"{name}: {error.errors()[0]['msg']}.") from None


async def _read(settings: DatabaseSettings, customer_id: str, first: dt.date, last: dt.date) -> str:
    database = Database(settings, load(ApiSettings))
    try:
        answer = await Statistics(database).answer(Question(customer_id, first, last))
    except DatabaseAwayError as error:
        raise UserError(f"The database does not answer: {error}") from None
    finally:
        await database.close()
    return answer.body.decode()


def _show(customer_id: str, days: list[dict[str, Any]]) -> None:
    if not days:
        typer.echo(f"No requests of {visible(customer_id)} on these days.")
        return
    print_days(customer_id, days)
    screen = console()
    for line in _sparklines(days, min(screen.width - 40, _SPARKLINE_WIDTH)):
        screen.print(Text(line, no_wrap=True))


def _sparklines(days: list[dict[str, Any]], width: int) -> Iterator[str]:
    """Write requests and latency as curves over all days from the first to the last; days without requests are dots."""
    by_date = {dt.date.fromisoformat(day["date"]): day for day in days}
    first, last = min(by_date), max(by_date)
    dates = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    for field, name in (("total_requests", "requests"), ("duration_p99", "p99")):
        values = [by_date[date][field] if date in by_date else None for date in dates]
        highest = cell(max(day[field] for day in days))
        yield f"{name:>8} {sparkline(values, max(width, 1))} {first} to {last}, at most {highest}{' s' * (field != 'total_requests')}"
