"""Tables of what is inside a customer's days: hours, routes and status codes."""

from collections.abc import Iterable
from typing import Any

from rich.table import Table
from rich.text import Text

from local.display import visible
from local.tables import COLUMNS, cell, console, plain_table

_NUMBERS = (
    *("total_requests", "client_errors", "server_errors", "uptime_percentage"),
    *("duration_p50", "duration_p99", "duration_max"),
)
_BAR = 30


def print_hours(customer: str, hours: Iterable[dict[str, Any]]) -> None:
    """Print the hours of a time zone, with its offset."""
    table = _table(customer, "hour", *(COLUMNS[field] for field in _NUMBERS))
    for row in hours:
        start = f"{row['hour'][:16].replace('T', ' ')} {row['hour'][-6:]}"
        table.add_row(start, *(cell(row[field]) for field in _NUMBERS))
    console().print(table)


def print_routes(customer: str, routes: Iterable[dict[str, Any]]) -> None:
    """Print routes; the name of a long one is folded."""
    table = _table(customer, "route", *(COLUMNS[field] for field in _NUMBERS))
    for row in routes:
        table.add_row(Text(visible(row["route"])), *(cell(row[field]) for field in _NUMBERS))
    console().print(table)


def print_statuses(customer: str, statuses: list[dict[str, Any]]) -> None:
    """Print status codes, each with its share of the requests."""
    table = _table(customer, "status", "requests", "%", "")
    total = sum(row["total_requests"] for row in statuses)
    for row in statuses:
        share = row["total_requests"] / total
        code = str(row["status"] or "-")
        table.add_row(
            code, cell(row["total_requests"]), cell(100 * share), Text("█" * round(_BAR * share) or "▏")
        )
    console().print(table)


def _table(customer: str, first: str, *others: str) -> Table:
    """Return a table whose first column is text that may be folded."""
    table = plain_table()
    table.title, table.title_justify = Text(visible(customer)), "left"
    table.add_column(first, overflow="fold")
    for heading in others:
        table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    return table
