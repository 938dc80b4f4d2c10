"""`logstats report` on a real database: the numbers are those of a brute-force scan, and names stay names."""

import datetime as dt
import re
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from local.cli import app
from local.errors import UserError
from logstats.settings import DatabaseSettings
from processor.ingest import Ingestor
from report.render import FORMS
from tests import oracle
from tests.ingests import ingest
from tests.logs import random_lines

DAY, BEFORE = "2024-09-05", "2024-09-04"
HOSTILE = ("<b>x</b>", "*x*", "`", "a`b", "|", "[a](b)", "=1+1", "\\")


def run(database: DatabaseSettings, *arguments: str) -> str:
    command = ["report", *arguments, "--database-url", database.url]
    result = CliRunner().invoke(app, command, catch_exceptions=False)
    assert result.exit_code == 0
    return result.stdout


def sections(text: str) -> dict[str, list[str]]:
    """The lines of each section, by its heading."""
    parts = [part.splitlines() for part in text.split("\n\n")[1:]]
    return {
        heading: [line.removeprefix("  ").removeprefix("- ") for line in lines] for heading, *lines in parts
    }


def of_day(statistics: oracle.Statistics, date: str) -> dict[str, dict[str, Any]]:
    return {customer: numbers for (customer, day), numbers in statistics.items() if day == date}


def changes(now: dict[str, Any], before: dict[str, Any], field: str) -> list[tuple[Fraction, str]]:
    """The relative changes of customers that have a value on both days."""
    return [
        (Fraction(str(now[customer][field])) / Fraction(str(before[customer][field])) - 1, customer)
        for customer in now.keys() & before.keys()
        if before[customer][field]
    ]


def test_the_report_is_that_of_a_brute_force_scan(
    database: DatabaseSettings, ingestor: Ingestor, tmp_path: Path
) -> None:
    lines = [
        *random_lines(3, 900, customers=40, days=2),
        *(f"{BEFORE} 12:00:00 silent_{number} /a 200 0.1" for number in range(12) for _ in range(number + 1)),
        *(f"{DAY} 12:00:00 {name} /a 500 0.1" for name in HOSTILE),
    ]
    ingest(ingestor, tmp_path / "a.log", lines)
    statistics = oracle.statistics(lines)
    now, before = of_day(statistics, DAY), of_day(statistics, BEFORE)
    found = sections(run(database, "--date", DAY, "--objective", "70.5"))

    requests, errors = (
        sum(each[name] for each in now.values()) for name in ("total_requests", "server_errors")
    )
    past = sum(each["total_requests"] for each in before.values())
    new = len(now.keys() - before.keys())
    assert found["Totals"][:3] == [
        f"The changes are against {BEFORE}.",
        f"{requests:,} requests ({100 * (requests / past - 1):+,.1f} %)",
        f"{len(now)} active customers, {new} of them new",
    ]
    assert found["Totals"][3].startswith(f"uptime {100 * (requests - errors) // requests}.")
    assert found["Totals"][4].startswith(f"{errors} server errors, ")

    uptimes = {
        name: 1 - Fraction(each["server_errors"], each["total_requests"]) for name, each in now.items()
    }
    below = sorted((uptime, name) for name, uptime in uptimes.items() if uptime < Fraction("0.705"))
    listed = found["Customers below 70.5 % uptime, worst first"]
    assert listed[0] == f"{len(below)} of {len(now)} customers."
    assert [line.split(": uptime")[0] for line in listed[1:-1]] == [name for _, name in below[:10]]
    assert listed[-1] == f"and {len(below) - 10} more"
    assert {name for _, name in below[:8]} == {*HOSTILE}, "each has no request that was served"

    for heading, field, descending in (
        ("Largest rises in requests", "total_requests", True),
        ("Largest falls in requests", "total_requests", False),
        ("Largest rises in p99", "duration_p99", True),
    ):
        ranked = sorted(
            changes(now, before, field), key=lambda each: ((-each[0] if descending else each[0]), each[1])
        )
        assert [line.split(":")[0] for line in found[heading]] == [name for _, name in ranked[:5]], heading

    gone = sorted(before.keys() - now.keys(), key=lambda name: (-before[name]["total_requests"], name))
    assert found["Silent customers"] == [
        f"{len(gone)} customers with requests on the day before and none on {DAY}.",
        *(f"{name}: {before[name]['total_requests']} requests before" for name in gone[:10]),
        f"and {len(gone) - 10} more",
    ]


def test_files_that_were_not_read_are_named_on_the_day_of_their_commit(
    database: DatabaseSettings, engine: sa.Engine, ingestor: Ingestor, tmp_path: Path
) -> None:
    good = "2024-08-01 00:00:00 a /x 200 0.1"
    ingest(ingestor, tmp_path / "good.log", [good])
    ingest(ingestor, tmp_path / "<i>bad.log", [good, "nonsense", "more nonsense"])
    with engine.begin() as connection:
        connection.execute(sa.text(f"UPDATE log_objects SET committed_at = '{DAY} 23:59:59.9+00'"))
    assert sections(run(database, "--date", DAY))["Files"] == [
        "2 files committed on this day: 4 lines, 2 rejected; 0 files not recognised.",
        f"{tmp_path}/<i>bad.log: 2 of 3 lines rejected (layout)",
    ]
    assert "/&lt;i&gt;bad.log</bdi>: 2 of 3" in run(database, "--date", DAY, "--format", "html")
    assert "bad.log`: 2 of 3" in run(database, "--date", DAY, "--format", "markdown")


@pytest.mark.parametrize("form", FORMS)
def test_without_a_date_it_is_yesterday_and_an_empty_day_is_no_failure(
    database: DatabaseSettings, form: str
) -> None:
    before = dt.datetime.now(dt.UTC)
    text = run(database, "--format", form)
    now = dt.datetime.now(dt.UTC)
    assert any(f"{(each - dt.timedelta(days=1)).date()} (UTC)" in text for each in (before, now))
    assert "No request on this day has been counted." in text


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_the_ends_of_the_calendar_are_days_too(database: DatabaseSettings, day: str) -> None:
    assert "No request" in run(database, "--date", day)


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--date", "2024-13-01", r"--date: Input should be a calendar date, YYYY-MM-DD\."),
        ("--objective", "101", r"--objective: Input should be less than or equal to 100\."),
        ("--objective", "99.9999", r"--objective: Decimal input should have no more than 3 decimal places\."),
        ("--objective", "nan", r"--objective: Input should be a finite number\."),
    ],
)
def test_a_wrong_option_is_one_clear_error(
    database: DatabaseSettings, option: str, value: str, message: str
) -> None:
    with pytest.raises(UserError, match=f"^{message}$"):
        run(database, option, value)


def test_an_api_that_does_not_answer_is_one_clear_error(
    database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_ANSWER_SECONDS", "0.000001")
    with pytest.raises(
        UserError, match=re.escape("GET /overview is answered 503: The database is not available")
    ):
        run(database)
