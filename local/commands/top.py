"""logstats top: customers over some days, worst first."""

import json
from typing import Annotated, Any

import typer
from rich.text import Text
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers.pages import Order
from api.answers.ranges import DateRange, resolve
from api.fleet.ranking import RankingQuery
from api.fleet.ranks import Selection
from api.fleet.sort_keys import SORT_FIELDS
from api.requests.parameters import end_of
from local.commands.answers import read
from local.commands.database import DatabaseUrlOption, open_database
from local.commands.values import AnswerOption, LastDayOption, NewestDayOption, newest_days
from local.display import visible
from local.errors import UsageError
from local.tables import COLUMNS, cell, change, console, table_of

_SMALLEST_FIRST = {"customer_id", "success_requests", "uptime_percentage", "change_uptime_percentage"}
"""Are worst, or first, where they are smallest."""
_SHOWN = (
    *("customer_id", "total_requests", "change_requests", "server_errors", "uptime_percentage"),
    *("change_uptime_percentage", "duration_p99", "change_p99"),
)
_HEADINGS = {
    **COLUMNS,
    "customer_id": "customer",
    "change_requests": "± %",
    "change_uptime_percentage": "±",
    "change_p99": "± %",
}


def top(
    *,
    first: NewestDayOption = None,
    last: LastDayOption = None,
    by: Annotated[
        str,
        typer.Option(
            metavar="FIELD",
            help="The field that orders them, as the API names it: the largest first, but of uptime_percentage, "
            "change_uptime_percentage, success_requests and customer_id the smallest.",
        ),
    ] = "server_errors",
    reverse: Annotated[bool, typer.Option("--reverse", help="The other way round.")] = False,
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1_000, help="How many customers.")] = 20,
    as_json: AnswerOption = False,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Show customers over some days, worst first or in another order."""
    first_day, last_day = newest_days(first, last)
    if by not in SORT_FIELDS:
        raise UsageError(f"--by {by}: give one of {', '.join(SORT_FIELDS)}.")
    order = Order(by, descending=(by in _SMALLEST_FIRST) is reverse)

    async def ask(connection: AsyncConnection) -> tuple[DateRange | None, str]:
        days = await resolve(connection, first_day, last_day)
        if days is None:
            return None, '{"customers":[],"next":null}'
        selection = Selection(days.first, days.last, order, end=end_of(""))
        answer = await RankingQuery(selection, limit).answer(connection, "")
        return days, answer.body.decode()

    with open_database(database_url) as database:
        days, answer = read(database, ask)
    if as_json:
        typer.echo(answer)
    else:
        _show(days, json.loads(answer)["customers"], by)


def _show(days: DateRange | None, customers: list[dict[str, Any]], by: str) -> None:
    if days is None or not customers:
        typer.echo("No requests on these days.")
        return
    against = f", against {days.before}" if days.before else ""
    shown = [*_SHOWN, *({by} - {*_SHOWN})]
    rows = ([_cell(field, row[field]) for field in shown] for row in customers)
    console().print(table_of(f"{days}{against}", [_HEADINGS[field] for field in shown], rows))


def _cell(field: str, value: Any) -> str | Text:  # noqa: ANN401 - any field's
    if field == "customer_id":
        return Text(visible(value))
    return change(field, value).removesuffix(" %") if field.startswith("change_") else cell(value, field)
