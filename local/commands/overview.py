"""logstats overview: all customers together over some days."""

import json
from collections.abc import Iterator
from typing import Any

import typer
from rich.table import Table
from rich.text import Text

from api.fleet.overview import OverviewQuery
from local.commands.answers import read
from local.commands.database import DatabaseUrlOption, open_database
from local.commands.values import AnswerOption, LastDayOption, NewestDayOption, newest_days
from local.display import visible
from local.tables import COLUMNS, cell, change, console, table_of

_COMPARED = {
    "total_requests": "change_requests",
    "client_errors": None,
    "server_errors": None,
    "uptime_percentage": "change_uptime_percentage",
    "duration_p50": None,
    "duration_p99": "change_p99",
    "active_customers": None,
}
"""The rows of the first table, and the fields that say how they have changed."""
_OF_A_DAY = (
    "date",
    "active_customers",
    "total_requests",
    "server_errors",
    "uptime_percentage",
    "duration_p50",
    "duration_p99",
)
_HEADINGS = {**COLUMNS, "active_customers": "customers"}
_NAMED = 10


def overview(
    *,
    first: NewestDayOption = None,
    last: LastDayOption = None,
    as_json: AnswerOption = False,
    database_url: DatabaseUrlOption = None,
) -> None:
    """Show all customers over some days, against the days before."""
    query = OverviewQuery(*newest_days(first, last))
    with open_database(database_url) as database:
        answer = read(database, lambda connection: query.answer(connection, "")).body.decode()
    if as_json:
        typer.echo(answer)
    else:
        _show(json.loads(answer))


def _show(answer: dict[str, Any]) -> None:
    if answer["from"] is None:
        typer.echo("There are no statistics yet.")
        return
    screen = console()
    screen.print(_totals(answer))
    if len(answer["days"]) > 1:
        screen.print(_days(answer["days"]))
    for line in _lines(answer):
        screen.print(Text(line))


def _totals(answer: dict[str, Any]) -> Table:
    before = answer["before"]
    rows = (
        (
            _HEADINGS[field],
            cell(answer["total"][field], field),
            cell(before[field] if before else None, field),
            change(changed, answer[changed]) if changed else "",
        )
        for field, changed in _COMPARED.items()
    )
    headings = ("", "now", _period(before) if before else "before", "change")
    return table_of(_period(answer), headings, rows)


def _days(days: list[dict[str, Any]]) -> Table:
    rows = ([cell(day[field], field) for field in _OF_A_DAY] for day in days)
    return table_of("", [_HEADINGS[field] for field in _OF_A_DAY], rows)


def _lines(answer: dict[str, Any]) -> Iterator[str]:
    silent, ledger = answer["silent_customers"], answer["ledger"]
    yield f"{answer['new_customers']:,} new customers, {silent['count']:,} silent ones"
    for row in silent["customers"][:_NAMED]:
        yield f"  {visible(row['customer_id'])}: {row['requests_before']:,} requests before, the last on {row['last_date']}"
    if silent["count"] > _NAMED:
        yield f"  and {silent['count'] - _NAMED:,} more"
    yield (
        f"{ledger['objects']:,} log objects committed: {ledger['lines']:,} lines, {ledger['rejected']:,} rejected, "
        f"{ledger['skipped']:,} skipped; {ledger['unrecognised']:,} objects of no known format"
    )


def _period(days: dict[str, Any]) -> str:
    return days["from"] if days["from"] == days["to"] else f"{days['from']} to {days['to']}"
