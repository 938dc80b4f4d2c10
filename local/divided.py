"""Tables of what is inside a customer's days: hours, routes and status codes."""

from collections.abc import Iterable
from typing import Any

from rich.text import Text

from local.display import visible
from local.tables import COLUMNS, cell, console, table_of

_NUMBERS = (
    *("total_requests", "client_errors", "server_errors", "uptime_percentage"),
    *("duration_p50", "duration_p99", "duration_max"),
)
_BAR = 30


def print_hours(customer: str, hours: Iterable[dict[str, Any]]) -> None:
    """Print the hours of a time zone, with its offset."""
    _print(
        customer, "hour", ((f"{row['hour'][:16].replace('T', ' ')} {row['hour'][-6:]}", row) for row in hours)
    )


def print_routes(customer: str, routes: Iterable[dict[str, Any]]) -> None:
    """Print routes; the name of a long one is folded."""
    _print(customer, "route", ((visible(row["route"]), row) for row in routes))


def _print(customer: str, heading: str, named: Iterable[tuple[str, dict[str, Any]]]) -> None:
    rows = ([Text(name), *(Text(cell(row[field], field)) for field in _NUMBERS)] for name, row in named)
    console().print(table_of(customer, (heading, *(COLUMNS[field] for field in _NUMBERS)), rows))


def print_statuses(customer: str, statuses: list[dict[str, Any]]) -> None:
    """Print status codes, each with its share of the requests."""
    total = sum(row["total_requests"] for row in statuses)
    shares = [(row, row["total_requests"] / total) for row in statuses]
    rows = (
        (
            str(row["status"]),
            cell(row["total_requests"]),
            cell(100 * share),
            "█" * round(_BAR * share) or "▏",
        )
        for row, share in shares
    )
    console().print(table_of(customer, ("status", "requests", "%", ""), rows))
