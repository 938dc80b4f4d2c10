"""`verify`, `sql` and `ingest --again`, as commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from local.cli import app
from local.errors import UserError
from logstats.models import DailyStatistics
from logstats.settings import DatabaseSettings
from tests import oracle, tables
from tests.logs import as_bytes, random_lines

LINES = random_lines(1, 300, customers=2)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


@pytest.fixture
def url(database: DatabaseSettings, tmp_path: Path) -> str:
    (tmp_path / "a.log").write_bytes(as_bytes(LINES))
    assert run("ingest", str(tmp_path / "a.log"), "--database-url", database.url).exit_code == 0
    return database.url


def break_a_day(engine: sa.Engine, **values: object) -> None:
    days = sa.update(DailyStatistics).where(DailyStatistics.customer_id == "cust_1")
    with engine.begin() as connection:
        connection.execute(days.values(values))


def test_verify_says_what_differs_and_mends_it(url: str, engine: sa.Engine) -> None:
    days = len(oracle.statistics(LINES))
    good = run("verify", "--database-url", url)
    assert (good.exit_code, good.stdout) == (0, f"2 customers, {days} customer days: 0 differences\n")
    break_a_day(engine, server_errors=99)
    bad = run("verify", "--database-url", url)
    assert bad.exit_code == 1
    assert "server_errors is 99, not" in bad.stdout.splitlines()[0]
    broken = run("verify", "--database-url", url, "--json")
    assert (broken.exit_code, len(broken.stdout.splitlines())) == (1, 1)
    told = json.loads(broken.stdout)
    assert told["differences"] == len(told["listed"]) == len(bad.stdout.splitlines()) - 1
    mended = run("verify", "--database-url", url, "--mend")
    assert (mended.exit_code, mended.stdout.splitlines()[-1]) == (
        0,
        f"2 customers, {days} customer days: 0 differences, 1 customers mended",
    )
    assert tables.statistics(engine) == oracle.statistics(LINES)


def test_again_replaces_what_counts_already(url: str, engine: sa.Engine, tmp_path: Path) -> None:
    before = tables.merged_rows(engine)
    arguments = ("ingest", str(tmp_path / "a.log"), "--database-url", url, "--json")
    assert json.loads(run(*arguments).stdout)["outcome"] == "unchanged"
    assert json.loads(run(*arguments, "--again").stdout)["outcome"] == "replaced"
    assert tables.merged_rows(engine) == before
    assert set(tables.leftovers(engine).values()) == {0}


def test_sql_shows_rows(url: str) -> None:
    query = "SELECT customer_id, total_requests, histogram FROM daily_statistics"
    rows = json.loads(run("sql", query, "--database-url", url, "--json").stdout)
    assert sum(row["total_requests"] for row in rows) == len(LINES)
    assert rows[0]["histogram"].endswith(" bytes>")
    shown = run("sql", "SELECT key, outcome, NULL AS nothing FROM log_objects", "--database-url", url).stdout
    assert "ingested" in shown
    assert "None" not in shown


def test_sql_leaves_no_column_out_of_json(url: str) -> None:
    query = "SELECT sum(total_requests), sum(server_errors) FROM daily_statistics"
    assert run("sql", query, "--database-url", url).stdout.startswith("sum\tsum\n")
    with pytest.raises(UserError, match="two columns are named sum"):
        run("sql", query, "--database-url", url, "--json")


def test_sql_shows_lists_of_anything(url: str) -> None:
    values = "array[DATE '2024-09-03'] AS days, array[1.5, NULL] AS numbers, array['\\x00'::bytea] AS bytes, 'nan'::float8 AS none"
    (row,) = json.loads(run("sql", f"SELECT {values}", "--database-url", url, "--json").stdout)
    assert row == {"days": ["2024-09-03"], "numbers": ["1.5", None], "bytes": ["<1 bytes>"], "none": "nan"}
    assert '["2024-09-03"]' in run("sql", f"SELECT {values}", "--database-url", url).stdout


@pytest.mark.parametrize(
    "query", ["COPY customers TO STDOUT", "SELECT pg_terminate_backend(pg_backend_pid())"]
)
def test_sql_that_breaks_its_connection_is_one_line(
    url: str, query: str, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(UserError, match=r"\A.+\Z"):
        run("sql", query, "--database-url", url)
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("DELETE FROM customers", "cannot execute DELETE in a read-only transaction"),
        ("SELECT nothing", 'column "nothing" does not exist'),
        ("COMMIT; DELETE FROM customers", "cannot insert multiple commands"),
        ("SET x.y = 1", "does not return rows"),
    ],
)
def test_sql_only_reads(url: str, engine: sa.Engine, query: str, message: str) -> None:
    before = tables.customers(engine)
    with pytest.raises(UserError, match=message):
        run("sql", query, "--database-url", url)
    assert tables.customers(engine) == before


def test_sql_shows_text_as_it_is(url: str) -> None:
    query = "SELECT E'[red]\\x1b[2J' || chr(8232) AS \"[b]\x1b[1m\", 1 AS n"
    shown = run("sql", query, "--database-url", url).stdout
    assert "[red]\\x1b[2J\\u2028" in shown
    assert "[b]\\x1b[1m" in shown
    assert "\x1b" not in shown


@pytest.mark.parametrize(
    ("found", "said"), [(10_000, ""), (10_001, "only the first 10,000 rows are shown\n")]
)
def test_sql_shows_at_most_so_many_rows(url: str, found: int, said: str) -> None:
    done = run("sql", f"SELECT generate_series(1, {found})", "--database-url", url, "--json")
    assert (len(json.loads(done.stdout)), done.stderr) == (10_000, said)


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_a_reader_of_rows_that_has_gone_is_no_error(url: str, options: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    program = str(Path(sys.executable).with_name("logstats"))
    command = [program, "sql", "SELECT 1", "--database-url", url, *options]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, env=buffered, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_verify_shows_control_characters_escaped(url: str, engine: sa.Engine) -> None:
    break_a_day(engine, customer_id="\x1b[2J")
    shown = run("verify", "--database-url", url).stdout
    assert "\\x1b[2J" in shown
    assert "\x1b" not in shown
