import asyncio
import datetime as dt
import json
from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa
from rich.cells import cell_len
from rich.text import Text
from typer.testing import CliRunner, Result

from api.app import create_app
from api.settings import ApiSettings
from local.cli import app
from local.errors import UsageError, UserError
from logstats.settings import DatabaseSettings
from processor.ingest import Ingestor
from tests.asgi import ask
from tests.days import insert_day
from tests.ingests import ingest


def stats(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["stats", *arguments])


@pytest.fixture
def url(database: DatabaseSettings, engine: sa.Engine) -> str:
    for day in range(1, 4):
        insert_day(engine, "cust_1", dt.date(2024, 9, day), [123_000, 2_000_001], client_errors=1)
    insert_day(engine, "[bold]ü[/bold]", dt.date(2024, 9, 1))
    return database.url


def test_a_table_shows_every_field_with_its_unit(url: str) -> None:
    done = stats("cust_1", "--from", "2024-09-02", "--database-url", url)
    assert done.exit_code == 0
    lines = [line.split() for line in done.stdout.splitlines() if line.strip()]
    assert lines[0] == ["cust_1"]
    assert " ".join(lines[1]) == (
        "day (UTC) requests timed success failed 4xx 5xx uptime % mean s p50 s p90 s p95 s p99 s max s"
    )
    numbers = ["2", "2", "1", "1", "1", "0", "100.000", "1.062", "0.123", *["2.000"] * 4]
    assert lines[3:5] == [["2024-09-02", *numbers], ["2024-09-03", *numbers]]
    days = "2024-09-02 to 2024-09-03, at most"
    assert [" ".join(line) for line in lines[5:]] == [f"requests ██ {days} 2", f"p99 ██ {days} 2.000 s"]


def test_a_customer_is_neither_markup_nor_control(url: str) -> None:
    known = stats("[bold]ü[/bold]", "--from", "2024-09-01", "--database-url", url)
    assert known.stdout.splitlines()[0].strip() == "[bold]ü[/bold]"
    unknown = stats("[b]\u2028", "--from", "2024-09-01", "--database-url", url)
    assert unknown.stdout == "No requests of [b]\\u2028 on these days.\n"


def test_a_day_without_requests_is_a_dot_in_the_curve(database: DatabaseSettings, engine: sa.Engine) -> None:
    for day in (1, 4):
        insert_day(engine, "cust_1", dt.date(2024, 9, day), [123_000] * day)
    done = stats("cust_1", "--from", "2024-09-01", "--database-url", database.url)
    assert "requests ▂··█ 2024-09-01 to 2024-09-04" in done.stdout


def test_a_day_without_durations_has_dashes_and_no_bar(database: DatabaseSettings, engine: sa.Engine) -> None:
    insert_day(engine, "cust_1", dt.date(2024, 9, 1), [], untimed=2)
    alone = stats("cust_1", "--from", "2024-09-01", "--database-url", database.url)
    lines = [line.split() for line in alone.stdout.splitlines() if line.strip()]
    assert lines[3] == ["2024-09-01", "2", "0", "2", "0", "0", "0", "100.000", *["-"] * 6]
    assert [line[0] for line in lines[4:]] == ["requests"]
    insert_day(engine, "cust_1", dt.date(2024, 9, 2), [123_000], untimed=1)
    both = stats("cust_1", "--from", "2024-09-01", "--database-url", database.url)
    assert "p99 ·█ 2024-09-01 to 2024-09-02, at most 0.123 s" in both.stdout


def test_to_is_included(url: str) -> None:
    done = stats("cust_1", "--from", "2024-09-01", "--to", "2024-09-02", "--json", "--database-url", url)
    assert [day["date"] for day in json.loads(done.stdout)] == ["2024-09-01", "2024-09-02"]


@pytest.mark.parametrize("customer", ["cust_1", "[bold]ü[/bold]", "nobody"])
def test_json_is_exactly_what_the_api_answers(url: str, database: DatabaseSettings, customer: str) -> None:
    async def answer() -> str:
        api = create_app(database, ApiSettings(auth="none"))
        transport = httpx.ASGITransport(api)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            path = f"/customers/{customer.replace('/', '%2F')}/stats"
            response = await client.get(path, params={"from": "2024-09-01"})
        await api.state.reader.close()
        return response.text

    done = stats(customer, "--from", "2024-09-01", "--json", "--database-url", url)
    assert done.stdout == asyncio.run(answer()) + "\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["cust_1", "--from", "soon"], "--from: Input should be a calendar date, YYYY-MM-DD."),
        (["cust_1", "--from", "2024-09-01", "--to", "2024-02-30"], "--to: Input should be a calendar date"),
        (
            ["cust_1", "--from", "2024-09-02", "--to", "2024-09-01"],
            "--to: Input should not be before 'from'.",
        ),
        (["x" * 256, "--from", "2024-09-02"], "CUSTOMER: String should have at most 255 characters."),
        (["", "--from", "2024-09-02"], "CUSTOMER: String should have at least 1 character."),
        (["a\nb", "--from", "2024-09-02"], "CUSTOMER: String should match pattern"),
        (["\udcff", "--from", "2024-09-02"], "CUSTOMER: "),
    ],
)
def test_what_is_wrong_is_told_before_a_database_is_opened(arguments: list[str], message: str) -> None:
    error = stats(*arguments).exception
    assert isinstance(error, UserError)
    assert str(error).startswith(message)
    assert "\n" not in str(error)


def test_a_setting_of_the_api_that_is_wrong_is_named(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_POOL_SIZE", "abc")
    error = stats("cust_1", "--from", "2024-09-01", "--database-url", url).exception
    assert isinstance(error, UserError)
    assert str(error).startswith("API_POOL_SIZE: Input should be a valid integer")
    assert "\n" not in str(error)


@pytest.fixture
def divided(database: DatabaseSettings, ingestor: Ingestor, tmp_path: Path) -> str:
    log = [
        "2024-09-01 21:59:59 a/b /v1/orders/4711 200 0.5",
        "2024-09-01 22:00:00 a/b /v1/orders/17 500 1.5",
        "2024-09-02 12:29:59 a/b /[bold]x[/bold] 429 -",
        "2024-09-02 12:30:00 a/b /wp-admin 404 0.25",
    ]
    assert ingest(ingestor, tmp_path / "log", log).accepted == len(log)
    return database.url


def table(*arguments: str) -> list[list[str]]:
    done = stats("a/b", "--from", "2024-09-01", *arguments)
    assert done.exit_code == 0, done.exception
    return [line.split() for line in done.stdout.splitlines() if line.strip()]


def test_days_are_divided_by_hour_route_and_status(divided: str) -> None:
    where = ("--database-url", divided)
    hours = table("--by", "hour", "--tz", "Europe/Berlin", *where)
    assert [row[:3] for row in hours[3:]] == [
        ["2024-09-01", "23:00", "+02:00"],
        ["2024-09-02", "00:00", "+02:00"],
        ["2024-09-02", "14:00", "+02:00"],
    ]
    assert hours[5][3:7] == ["2", "2", "0", "100.000"]
    routes = table("--by", "route", "--sort", "route", *where)
    assert [row[:4] for row in routes[3:]] == [
        ["(not", "found)", "1", "1"],
        ["/[bold]x[/bold]", "1", "1", "0"],
        ["/v1/orders/{id}", "2", "0", "1"],
    ]
    statuses = table("--by", "status", *where)
    assert [row[:3] for row in statuses[3:]] == [
        [code, "1", "25.000"] for code in ("200", "404", "429", "500")
    ]
    days = table("--tz", "Europe/Berlin", *where)
    assert " ".join(days[1]).startswith("day (Europe/Berlin) requests")
    assert [row[:2] for row in days[3:5]] == [["2024-09-01", "1"], ["2024-09-02", "3"]]


def test_a_table_of_routes_fits_eighty_columns(divided: str) -> None:
    done = CliRunner().invoke(
        app,
        ["stats", "a/b", "--from", "2024-09-01", "--by", "route", "--database-url", divided],
        env={"COLUMNS": "80", "TTY_COMPATIBLE": "1", "FORCE_COLOR": "1", "NO_COLOR": "1"},
    )
    assert done.exit_code == 0
    lines = Text.from_ansi(done.stdout).plain.splitlines()
    assert max(map(cell_len, lines)) <= 80
    assert "".join(line[:20].strip() for line in lines).count("/v1/orders/{id}") == 1, lines


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        (["--by", "hour", "--tz", "Asia/Kolkata"], "stats?interval=hour&tz=Asia/Kolkata&"),
        (["--by", "month"], "stats?interval=month&"),
        (["--by", "route", "--sort", "-duration_p99", "--limit", "2"], "routes?sort=-duration_p99&limit=2&"),
        (["--by", "status"], "statuses?"),
    ],
)
def test_json_of_divided_days_is_exactly_what_the_api_answers(
    divided: str, database: DatabaseSettings, arguments: list[str], target: str
) -> None:
    async def answer() -> str:
        api = create_app(database, ApiSettings(auth="none"))
        found = await ask(api, f"/customers/a%2Fb/{target}from=2024-09-01")
        await api.state.reader.close()
        return found.text

    done = stats("a/b", "--from", "2024-09-01", "--json", *arguments, "--database-url", divided)
    assert done.stdout == asyncio.run(answer()) + "\n"


@pytest.mark.parametrize("by", ["hour", "route", "status"])
def test_days_without_a_breakdown_are_told_beside_the_answer(url: str, by: str) -> None:
    done = stats("cust_1", "--from", "2024-09-01", "--by", by, "--database-url", url)
    assert done.stdout == "No requests of cust_1 on these days.\n"
    assert done.stderr.startswith("3 days with requests are not in this")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tz", "Asia/Kathmandu"], "--tz: Input should be a zone whose offset is a multiple of 30 minutes"),
        (["--tz", "Nowhere"], "--tz: Input should be the IANA name of a time zone"),
        (["--tz", "Europe/Berlin", "--by", "route"], "--tz: with --by route days are those of UTC."),
        (["--sort", "route"], "--sort: give --by route too."),
        (["--by", "route", "--sort", "date"], "--sort date: give one of route, total_requests"),
    ],
)
def test_wrong_options_are_told_before_a_database_is_opened(arguments: list[str], message: str) -> None:
    error = stats("cust_1", "--from", "2024-09-01", *arguments).exception
    assert isinstance(error, UsageError)
    assert str(error).startswith(message)
    assert "\n" not in str(error)
