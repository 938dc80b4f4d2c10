"""logstats stats: one customer's daily statistics."""

import datetime as dt
import json
from collections.abc import Iterator
from math import ceil
from typing import Annotated, Any

import typer
from rich.text import Text

from api.parameters import CustomerId
from api.statistics import Statistics, StatisticsQuery
from local.commands.answers import with_reader
from local.commands.database import DatabaseUrlOption, open_database
from local.commands.values import FirstDayOption, LastDayOption, days, valid
from local.display import visible
from local.tables import cell, console, print_days

_SPARKLINE_WIDTH = 90
_BARS = "▁▂▃▄▅▆▇█"


def stats(
    customer: Annotated[str, typer.Argument(metavar="CUSTOMER", help="The customer's id.")],
    *,
    first: FirstDayOption,
    last: LastDayOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one line: exactly what the API answers.")
    ] = False,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Show the daily statistics of a customer."""
    customer_id: str = valid("CUSTOMER", CustomerId, customer)
    first_day, last_day = days(first, last)
    query = StatisticsQuery(customer_id, first_day, last_day or dt.date.max)
    with open_database(database_url) as database:
        answer = with_reader(database, lambda reader: Statistics(reader).answer(query)).body.decode()
    if as_json:
        typer.echo(answer)
    else:
        _show(customer_id, json.loads(answer))


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
