"""logstats stats: one customer's daily statistics."""

import asyncio
import datetime as dt
import json
from collections.abc import Iterator
from math import ceil
from typing import Annotated, Any

import typer
from rich.text import Text

from api.parameters import CalendarDate, CustomerId, check_order
from api.reader import DatabaseUnavailableError, Reader
from api.settings import ApiSettings
from api.statistics import Statistics, StatisticsQuery
from local.commands.database import DatabaseUrlOption, open_database
from local.commands.values import valid
from local.display import visible
from local.errors import UserError
from local.tables import cell, console, print_days
from logstats.settings import DatabaseSettings, SettingsError, load

_SPARKLINE_WIDTH = 90
_BARS = "▁▂▃▄▅▆▇█"


def stats(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")],
    *,
    first: Annotated[str, typer.Option("--from", metavar="DATE", help="First UTC day, YYYY-MM-DD.")],
    last: Annotated[
        str | None,
        typer.Option(
            "--to", metavar="DATE", show_default=False, help="Last UTC day; without it, all later days."
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line: exactly what the API answers.")
    ] = False,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Show the daily statistics of a customer."""
    customer_id: str = valid("CUSTOMER", CustomerId, customer)
    first_day: dt.date = valid("--from", CalendarDate, first)
    last_day: dt.date = valid("--to", CalendarDate, last) if last is not None else dt.date.max
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


async def _read(settings: DatabaseSettings, customer_id: str, first: dt.date, last: dt.date) -> str:
    try:
        reader = Reader(settings, load(ApiSettings))
    except SettingsError as error:
        raise UserError(f"{error}.") from None
    try:
        answer = await Statistics(reader).answer(StatisticsQuery(customer_id, first, last))
    except DatabaseUnavailableError as error:
        raise UserError(f"The database does not answer: {error}") from None
    finally:
        await reader.close()
    return answer.body.decode()


def _show(customer_id: str, days: list[dict[str, Any]]) -> None:
    if not days:
        typer.echo(f"No requests of {visible(customer_id)} on these days.")
        return
    print_days(customer_id, days)
    screen = console()
    screen.print()
    for line in _sparklines(days, max(1, min(screen.width - 40, _SPARKLINE_WIDTH))):
        screen.print(Text(line, no_wrap=True))


def _sparklines(days: list[dict[str, Any]], width: int) -> Iterator[str]:
    """Draw requests and latency of the last days (Tufte, Beautiful Evidence, 2006); a day without any is a dot."""
    by_date = {dt.date.fromisoformat(day["date"]): day for day in days}
    last = max(by_date)
    first = max(min(by_date), last - dt.timedelta(days=width - 1))
    dates = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    for field, name, unit in (("total_requests", "requests", ""), ("duration_p99", "p99", " s")):
        values = [by_date[date][field] if date in by_date else None for date in dates]
        highest = max((value for value in values if value is not None), default=None)
        if highest is None:
            continue
        yield f"{name:>8} {_bars(values, highest)} {first} to {last}, at most {cell(highest)}{unit}"


def _bars(values: list[float | None], highest: float) -> str:
    return "".join(
        "·" if value is None else _BARS[max(0, ceil(value / (highest or 1) * len(_BARS)) - 1)]
        for value in values
    )
