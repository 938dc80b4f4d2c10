"""Show tables: they fit a terminal, and are whole in a pipe."""

import datetime as dt
import io
from collections.abc import Callable
from typing import Any

import pytest
from rich.console import Console

from local import tables

ROWS = [["day.log", 1, {"layout": 1}, None, "[red]\ta\x1b[2J" + "x" * 200], ["b", 2.5, {}, True, "y"]]
NAMES = ["key", "n", "reasons", "none", "a_name_that_is_long"]
DAY = {name: 0.5 if name.startswith(("duration", "uptime")) else 1_000_000 for name in tables.COLUMNS}
DAYS = [DAY | {"date": str(dt.date(2024, 9, day))} for day in (1, 2)]


Show = Callable[..., list[str]]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Show:
    """Return what a terminal of some columns shows; of None: what a pipe gets."""

    def show(columns: int | None, *arguments: Any, what: Any = tables.print_rows) -> list[str]:  # noqa: ANN401 - as above
        output = io.StringIO()
        made = Console(
            file=output, width=columns or 100_000, force_terminal=columns is not None, color_system=None
        )
        monkeypatch.setattr(tables, "console", lambda: made)
        what(*arguments)
        return output.getvalue().splitlines()

    return show


def test_a_pipe_gets_whole_values_with_tabs_between_them(terminal: Show) -> None:
    assert terminal(None, NAMES, ROWS) == [
        "key\tn\treasons\tnone\ta_name_that_is_long",
        'day.log\t1\t{"layout": 1}\t\t[red]\\ta\\x1b[2J' + "x" * 200,
        "b\t2.5\t{}\ttrue\ty",
    ]


def test_a_terminal_shows_a_table_or_where_it_is_too_narrow_a_value_a_line(terminal: Show) -> None:
    wide = terminal(300, NAMES, ROWS)
    assert wide[0].split() == NAMES
    assert wide[2].split() == ["day.log", "1", '{"layout":', "1}", "[red]\\ta\\x1b[2J" + "x" * 200]
    narrow = terminal(80, NAMES, ROWS)
    assert narrow[:2] == ["key                  day.log", "n                    1"]
    assert narrow[4] == "a_name_that_is_long  [red]\\ta\\x1b[2J" + "x" * 200
    assert len(narrow) == 2 * (len(NAMES) + 1)


@pytest.mark.parametrize(
    ("uptime", "shown"),
    [
        (100.0, "100.000"),
        (99.9999, "99.999"),
        (1.001, "1.001"),
        (0.0, "0.000"),
        (1e-05, "0.000"),
        (None, "-"),
    ],
)
def test_an_uptime_is_rounded_down(uptime: float | None, shown: str) -> None:
    assert tables.cell(uptime, "uptime_percentage") == shown


@pytest.mark.parametrize("columns", [None, 300, 80, 40])
def test_no_number_of_a_day_is_cut(terminal: Show, columns: int | None) -> None:
    lines = terminal(columns, "c", DAYS, what=tables.print_days)
    assert "…" not in "".join(lines)
    fields = len(tables.COLUMNS) if columns != 80 else len(tables.FEWER_COLUMNS)
    assert len(lines[3].split()) == fields or columns == 40
    if columns == 80:
        assert " ".join("".join(lines[5:]).split()).startswith(
            "A terminal of 118 columns also shows timed, success, failed, 4xx, 5xx, p90 s, p95 s;"
        )
