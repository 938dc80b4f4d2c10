"""Curves of a customer's days in a line of text (Tufte, Beautiful Evidence, 2006)."""

import datetime as dt
from collections.abc import Iterator
from math import ceil
from typing import Any

from rich.text import Text

from local.tables import cell, console

_WIDTH = 90
_BARS = "▁▂▃▄▅▆▇█"


def print_sparklines(days: list[dict[str, Any]]) -> None:
    """Print requests and latency of the last days; a day without any is a dot."""
    screen = console()
    screen.print()
    for line in _sparklines(days, max(1, min(screen.width - 40, _WIDTH))):
        screen.print(Text(line, no_wrap=True))


def _sparklines(days: list[dict[str, Any]], width: int) -> Iterator[str]:
    by_date = {dt.date.fromisoformat(day["date"]): day for day in days}
    last = max(by_date)
    first = max(min(by_date), last - dt.timedelta(days=width - 1))
    dates = [first + dt.timedelta(days=number) for number in range((last - first).days + 1)]
    for field, name, unit in (("total_requests", "requests", ""), ("duration_p99", "p99", " s")):
        values = [by_date[date][field] if date in by_date else None for date in dates]
        highest = max((value for value in values if value is not None), default=None)
        if highest is None:
            continue
        yield f"{name:>8} {bars(values, highest)} {first} to {last}, at most {cell(highest)}{unit}"


def bars(values: list[float | None], highest: float) -> str:
    """Return a bar for each value; a dot for none."""
    return "".join(
        "·" if value is None else _BARS[max(0, ceil(value / (highest or 1) * len(_BARS)) - 1)]
        for value in values
    )
