"""`logstats expire`, as a command."""

import json
import re
from datetime import date
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

LINES = random_lines(1, 300, first=date(2024, 9, 29))
"""Of five customers, from 2024-09-29 to 10-02."""


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
    told = run(database, "expire", "--before", "2024-10-07", "--dry-run").stdout
    assert re.fullmatch(
        r"would remove 4 partitions \(0\.\d MB\); 0 customers would have no day left; closed before 2024-10-01,"
        r" sealed before 2024-10-01\n",
        told,
    )
    assert tables.statistics(engine) == kept("2024-09-29")
    done = run(database, "expire", "--before", "2024-10-07").stdout
    assert done == told.replace("would remove", "removed").replace("would have", "have")
    assert tables.statistics(engine) == kept("2024-10-01")
    again = json.loads(run(database, "ingest", str(log), "--json").stdout)
    assert (again["outcome"], again["expired"]) == ("unchanged", 0)
    with log.open("a") as file:
        file.write("broken\n")
    replaced = json.loads(run(database, "ingest", str(log), "--json").stdout)
    assert (replaced["outcome"], replaced["accepted"]) == ("replaced", 300)
    assert replaced["expired"] == sum(line[:10] < "2024-10-01" for line in LINES)
    assert "expired" in run(database, "ingest", str(log)).stdout
    assert tables.statistics(engine) == kept("2024-10-01")


def test_days_that_are_too_old_are_sealed_when_asked(
    database: DatabaseSettings, engine: sa.Engine, log: Path
) -> None:
    told = json.loads(run(database, "expire", "--seal-days", "35", "--json").stdout)
    assert (told["horizon"], told["partitions"], told["customers"]) == ("1970-01-01", 3, 0)
    assert tables.statistics(engine) == kept("2024-09-29")
    with pytest.raises(UserError, match=r"counts on days that are sealed, 2024-09-29 to 2024-10-02"):
        run(database, "ingest", str(log), "--again")


def test_days_that_are_too_old_are_removed(database: DatabaseSettings, engine: sa.Engine, log: Path) -> None:
    shown = run(database, "expire", "--days", "30", "--json").stdout
    assert shown.count("\n") == 1
    told = json.loads(shown)
    assert 0 < told.pop("seconds") < 60
    assert told.pop("horizon") == told.pop("sealed") > "2026"
    assert told.pop("bytes") > 0
    assert told == {
        "partitions": 6, "customer_days": 0, "customers": 5, "finished": True, "dry_run": False,
    }  # fmt: skip
    assert (tables.statistics(engine), tables.customers(engine)) == ({}, {})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "Give --days, --before or --seal-days."),
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
    assert tables.statistics(engine) == kept("2024-09-29")
