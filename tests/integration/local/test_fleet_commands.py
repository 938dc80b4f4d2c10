"""`logstats top`, `overview` and `export` on a real PostgreSQL: they say what the API answers."""

import asyncio
import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from local.cli import app
from local.errors import UserError
from logstats.settings import DatabaseSettings
from tests import fleet
from tests.integration.api.test_fleet import client, day

FIRST, LAST = str(day(3)), str(day(5))
RANGE = ("--from", FIRST, "--to", LAST)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, arguments)


@pytest.fixture
def url(database: DatabaseSettings, engine: sa.Engine) -> str:
    fleet.insert(engine, fleet.random_requests(1))
    return database.url


def api(database: DatabaseSettings, *targets: str) -> list[str]:
    async def ask() -> list[str]:
        async with client(database) as http:
            return [(await http.get(target)).text for target in targets]

    return asyncio.run(ask())


def test_json_is_exactly_what_the_api_answers(url: str, database: DatabaseSettings) -> None:
    [newest] = {
        row["date"] for row in json.loads(run("overview", "--json", "--database-url", url).stdout)["days"]
    }
    for arguments, target in (
        (("top",), f"/customers?from={newest}&limit=20"),
        (("top", *RANGE), f"/customers?from={FIRST}&to={LAST}&limit=20"),
        (
            ("top", *RANGE, "--by", "duration_p99", "--limit", "3"),
            f"/customers?from={FIRST}&to={LAST}&sort=-duration_p99&limit=3",
        ),
        (
            ("top", *RANGE, "--by", "uptime_percentage"),
            f"/customers?from={FIRST}&to={LAST}&sort=uptime_percentage&limit=20",
        ),
        (
            ("top", *RANGE, "--by", "uptime_percentage", "--reverse"),
            f"/customers?from={FIRST}&to={LAST}&sort=-uptime_percentage&limit=20",
        ),
        (("overview",), "/overview"),
        (("overview", *RANGE), f"/overview?from={FIRST}&to={LAST}"),
    ):
        [expected] = api(database, target)
        assert run(*arguments, "--json", "--database-url", url).stdout == f"{expected}\n", arguments


def test_the_table_has_the_worst_first_and_ids_are_neither_markup_nor_control(
    url: str, database: DatabaseSettings
) -> None:
    shown = run("top", *RANGE, "--by", "duration_mean", "--database-url", url).stdout.splitlines()
    assert shown[0].strip() == f"{FIRST} to {LAST}, against {day(0)} to {day(2)}"
    assert "customer requests ± % 5xx uptime % ± p99 s ± % mean s" in " ".join(shown[1].split())
    [answer] = api(database, f"/customers?from={FIRST}&to={LAST}&sort=-duration_mean")
    ids = [row["customer_id"].replace("\u2028", "\\u2028") for row in json.loads(answer)["customers"]]
    found = [line for line in shown[3:] if line.strip()]
    assert len(found) == len(ids)
    assert all(line.strip().startswith(customer) for line, customer in zip(found, ids, strict=True))


def test_the_overview_compares_the_days_and_names_who_is_silent(url: str, database: DatabaseSettings) -> None:
    expected = json.loads(api(database, f"/overview?from={FIRST}&to={LAST}")[0])
    lines = [
        " ".join(line.split()) for line in run("overview", *RANGE, "--database-url", url).stdout.splitlines()
    ]
    change = f"{100 * expected['change_requests']:+.1f} %"
    assert (
        f"requests {expected['total']['total_requests']} {expected['before']['total_requests']} {change}"
        in lines
    )
    assert f"{FIRST} to {LAST}" in lines
    for each in expected["days"]:
        assert any(line.startswith(f"{each['date']} {each['active_customers']}") for line in lines)
    silent = expected["silent_customers"]
    assert silent["count"]
    assert f"{expected['new_customers']} new customers, {silent['count']} silent ones" in lines
    for row in silent["customers"]:
        start = row["customer_id"].replace("\u2028", "\\u2028")
        assert any(line.startswith(f"{start}: {row['requests_before']} requests before") for line in lines)


def test_without_data_the_commands_say_so(database: DatabaseSettings) -> None:
    where = ("--database-url", database.url)
    assert (
        run("top", *where).stdout
        == run("top", "--from", FIRST, *where).stdout
        == "No requests on these days.\n"
    )
    assert run("top", "--json", *where).stdout == '{"customers":[],"next":null}\n'
    assert run("overview", *where).stdout == "There are no statistics yet.\n"
    assert run("export", "--from", FIRST, *where).stdout.count("\n") == 1


def test_a_dash_stands_where_there_is_nothing_to_compare(
    database: DatabaseSettings, engine: sa.Engine
) -> None:
    fleet.insert(engine, {("a", day(0)): [(200, None)]})
    shown = run("top", "--database-url", database.url).stdout.splitlines()
    assert shown[3].split() == ["a", "1", "-", "0", "100.000", "-", "-", "-"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("top", "--by", "date"), "--by date: give one of customer_id, total_requests, "),
        (("top", "--to", LAST), "--to: give --from too."),
        (("overview", "--from", LAST, "--to", FIRST), "--to: Input should not be before 'from'."),
        (("export", "--from", "2024-02-30"), "--from: Input should be a calendar date, YYYY-MM-DD."),
        (("export", "--from", FIRST, "-o", "/nowhere/a.csv"), "/nowhere/a.csv: No such file or directory"),
    ],
)
def test_what_makes_no_sense_is_one_clear_line(url: str, arguments: tuple[str, ...], message: str) -> None:
    done = run(*arguments, "--database-url", url)
    assert isinstance(done.exception, UserError)
    assert str(done.exception).startswith(message)


def test_an_export_has_the_rows_that_the_api_answers_for_each_customer(
    url: str, database: DatabaseSettings, tmp_path: Path
) -> None:
    """Ids are as they are, also one that a spreadsheet takes for a formula: whoever joins by them needs them so."""
    file = tmp_path / "days.csv"
    assert (
        run("export", "--from", str(day(0)), "--to", LAST, "-o", str(file), "--database-url", url).exit_code
        == 0
    )
    ids = sorted(fleet.IDS, key=str.encode)
    quoted = [customer.encode().hex("%") for customer in ids]
    answers = api(
        database, *(f"/customers/%{each}/stats?from={day(0)}&to={LAST}&format=csv" for each in quoted)
    )
    header, *_ = answers[0].splitlines(keepends=True)
    expected = header + "".join(answer.removeprefix(header) for answer in answers)
    assert file.read_bytes().decode() == expected
    assert (
        run("export", "--from", str(day(0)), "--to", LAST, "--database-url", url).stdout_bytes.decode()
        == expected
    )
    rows = list(csv.DictReader(io.StringIO(expected, newline="")))
    assert {row["customer_id"] for row in rows} <= {*fleet.IDS}
    assert any(row["customer_id"].startswith("=") for row in rows)


def test_a_reader_that_has_seen_enough_ends_an_export(url: str) -> None:
    program = f"{sys.executable} -c 'from local.cli import main; main()'"
    command = f"{program} export --from {FIRST} --database-url '{url}' | head -n 1"
    done = subprocess.run(
        ["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, check=False
    )
    assert done.stdout.startswith("customer_id,date,")
    assert done.stderr == ""
