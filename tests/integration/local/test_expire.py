"""`logstats expire`, as a command."""

import json
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from local.cli import app
from local.errors import UserError
from logstats.settings import DatabaseSettings
from tests import oracle, tables
from tests.logs import as_bytes, random_lines

LINES = random_lines(1, 300)
"""Of five customers, from 2024-09-04 to 07."""


def run(database: DatabaseSettings, *arguments: str) -> Any:  # noqa: ANN401 - click's result
    command = [*arguments, "--database-url", database.url]
    return CliRunner().invoke(app, command, catch_exceptions=False)


@pytest.fixture
def log(database: DatabaseSettings, tmp_path: Path) -> Path:
    path = tmp_path / "a.log"
    path.write_bytes(as_bytes(LINES))
    assert run(database, "ingest", str(path)).exit_code == 0
    return path


def kept(first: str) -> oracle.Statistics:
    return oracle.statistics(line for line in LINES if line[:10] >= first)


def test_days_before_a_date_are_removed_after_a_look(
    database: DatabaseSettings, engine: sa.Engine, log: Path
) -> None:
    told = run(database, "expire", "--before", "2024-09-06", "--dry-run")
    counts = "10 customer-days (10 contributions) before 2024-09-06"
    assert told.stdout == f"would remove {counts}; 0 customers would have none left\n"
    assert tables.statistics(engine) == kept("2024-09-04")
    done = run(database, "expire", "--before", "2024-09-06")
    assert done.stdout == f"removed {counts}; 0 customers have none left\n"
    assert tables.statistics(engine) == kept("2024-09-06")
    again = json.loads(run(database, "ingest", str(log), "--json").stdout)
    assert (again["outcome"], again["expired"]) == ("unchanged", 0)
    with log.open("a") as file:
        file.write("broken\n")
    replaced = json.loads(run(database, "ingest", str(log), "--json").stdout)
    assert (replaced["outcome"], replaced["accepted"]) == ("replaced", 300)
    assert replaced["expired"] == sum(line[:10] < "2024-09-06" for line in LINES)
    assert "expired" in run(database, "ingest", str(log)).stdout
    assert tables.statistics(engine) == kept("2024-09-06")


def test_days_that_are_too_old_are_removed(database: DatabaseSettings, engine: sa.Engine, log: Path) -> None:
    shown = run(database, "expire", "--days", "30", "--json").stdout
    assert shown.count("\n") == 1
    told = json.loads(shown)
    assert 0 < told.pop("seconds") < 60
    assert told.pop("horizon") > "2026"
    assert told == {
        "customer_days": 20, "contributions": 20, "customers": 5, "finished": True, "dry_run": False,
    }  # fmt: skip
    assert (tables.statistics(engine), tables.customers(engine)) == ({}, {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give either --days or --before."),
        (("--days", "3", "--before", "2024-09-06"), "Give either --days or --before."),
        (("--before", "2999-01-01"), "2999-01-01 is in the future; today, "),
        (("--before", "2999-01-01", "--dry-run"), "2999-01-01 is in the future; today, "),
        (("--before", "yesterday"), "--before: Input should be a calendar date, YYYY-MM-DD."),
        (("--before", "2024-02-30"), "--before: Input should be a calendar date, YYYY-MM-DD."),
    ],
)
def test_nonsense_is_refused(
    database: DatabaseSettings, engine: sa.Engine, log: Path, arguments: tuple[str, ...], message: str
) -> None:
    with pytest.raises(UserError) as raised:
        run(database, "expire", *arguments)
    assert str(raised.value).startswith(message)
    assert tables.statistics(engine) == kept("2024-09-04")
