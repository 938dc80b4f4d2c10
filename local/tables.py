"""Tables on a terminal, and as wide as they need be in a pipe."""

from collections.abc import Iterable
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

from local.display import visible

COLUMNS = {
    "date": "day (UTC)",
    "total_requests": "requests",
    "timed_requests": "timed",
    "success_requests": "success",
    "failed_requests": "failed",
    "client_errors": "4xx",
    "server_errors": "5xx",
    "uptime_percentage": "uptime %",
    "duration_mean": "mean s",
    "duration_p50": "p50 s",
    "duration_p90": "p90 s",
    "duration_p95": "p95 s",
    "duration_p99": "p99 s",
    "duration_max": "max s",
}
"""Fields of the API, and their headings."""
_PIPE_WIDTH = 160


def console() -> Console:
    """Return the console of standard output."""
    made = Console()
    if not made.is_terminal:
        made.width = _PIPE_WIDTH
    return made


def print_days(customer: str, days: list[dict[str, Any]], columns: Iterable[str] = COLUMNS) -> None:
    """Print a customer's daily statistics."""
    table = Table(title=Text(visible(customer)), title_justify="left", box=SIMPLE_HEAD)
    shown = list(columns)
    for field in shown:
        table.add_column(COLUMNS[field], justify="right", no_wrap=True)
    for day in days:
        table.add_row(*(cell(day[field]) for field in shown))
    console().print(table)


def cell(value: object) -> str:
    """Return a value as a table shows it; a dash for none."""
    if value is None:
        return "-"
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def change(field: str, value: float | None) -> str:
    """Return a change as a table shows it: of the uptime in percentage points, of the rest in percent; a dash for none."""
    if value is None:
        return "-"
    return f"{value:+.3f}" if field == "change_uptime_percentage" else f"{100 * value:+.1f} %"
