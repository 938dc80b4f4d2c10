"""Tables that fit a terminal, and are as wide as they need be in a pipe. Nothing in them is ever cut."""

import json
from collections.abc import Iterable, Sequence
from decimal import ROUND_DOWN, Decimal
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
FEWER_COLUMNS = (
    *("date", "total_requests", "uptime_percentage"),
    *("duration_mean", "duration_p50", "duration_p99", "duration_max"),
)
"""Those that have room in 80 columns."""
_PIPE_WIDTH = 100_000
_THOUSANDTH = Decimal("0.001")


def console() -> Console:
    """Return the console of standard output."""
    made = Console()
    if not made.is_terminal:
        made.width = _PIPE_WIDTH
    return made


def plain_table(title: str = "") -> Table:
    """Return an empty table without a frame: two spaces between the columns, and a line under their names."""
    shown = Text(visible(title)) if title else None
    return Table(
        title=shown,
        title_justify="left",
        box=SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
    )


def table_of(title: str, headings: Iterable[str], rows: Iterable[Iterable[str | Text]]) -> Table:
    """Return a table of numbers, but for the first column, which is folded where the terminal is too narrow, and one without heading."""
    table = plain_table(title)
    for number, heading in enumerate(headings):
        if number == 0:
            table.add_column(heading, overflow="fold")
        else:
            table.add_column(heading, justify="right" if heading else "left", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def print_days(
    customer: str, days: list[dict[str, Any]], columns: Iterable[str] = COLUMNS, zone: str = "UTC"
) -> None:
    """Print a customer's daily statistics: the columns that are asked for, or fewer where the terminal is too narrow."""
    table = plain_table(customer)
    shown = list(columns)
    for field in shown:
        table.add_column(COLUMNS[field].replace("UTC", zone), justify="right", overflow="fold")
    for day in days:
        table.add_row(*(cell(day[field], field) for field in shown))
    screen = console()
    width = _width(screen, table)
    if width <= screen.width or shown == list(FEWER_COLUMNS):
        screen.print(table)
        return
    print_days(customer, days, FEWER_COLUMNS, zone)
    hidden = ", ".join(COLUMNS[field] for field in shown if field not in FEWER_COLUMNS)
    screen.print(Text(f"A terminal of {width} columns also shows {hidden}; --json has them too."))


def print_rows(names: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print any rows: as a table, or if the terminal is too narrow for it, one value a line.

    In a pipe: the names and the values with tabs between them, one row a line. What does not print is escaped, so a value
    has no tab and no end of line in it.
    """
    texts = [[visible(_text(value)) for value in row] for row in rows]
    headings = [visible(name) for name in names]
    screen = console()
    if not screen.is_terminal:
        screen.file.writelines("\t".join(row) + "\n" for row in (headings, *texts))
        return
    table = plain_table()
    for name in headings:
        table.add_column(Text(name))
    for row in texts:
        table.add_row(*map(Text, row))
    if _width(screen, table) <= screen.width:
        screen.print(table)
        return
    widest = max(map(len, headings))
    for row in texts:
        lines = (f"{name:{widest}}  {value}" for name, value in zip(headings, row, strict=True))
        screen.file.write("\n".join(lines) + "\n\n")


def _width(screen: Console, table: Table) -> int:
    """Return the width that a table needs."""
    return screen.measure(table, options=screen.options.update(width=_PIPE_WIDTH)).maximum


def _text(value: object) -> str:
    """Return a value of a row as text: nothing for none, and JSON for what is neither text nor number."""
    if value is None:
        return ""
    return json.dumps(value) if isinstance(value, bool | dict | list) else str(value)


def cell(value: object, field: str = "") -> str:
    """Return a value as a table shows it, an uptime rounded down: 100.000 is what had no server error. A dash for none."""
    if value is None:
        return "-"
    if field == "uptime_percentage":
        return str(Decimal(str(value)).quantize(_THOUSANDTH, ROUND_DOWN))
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def change(field: str, value: float | None) -> str:
    """Return a change as a table shows it: of the uptime in percentage points, of the rest in percent; a dash for none."""
    if value is None:
        return "-"
    return f"{value:+.3f}" if field == "change_uptime_percentage" else f"{100 * value:+.1f} %"
