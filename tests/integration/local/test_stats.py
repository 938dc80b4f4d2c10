import asyncio
import datetime as dt
import json

import httpx
import pytest
import sqlalchemy as sa
from typer.testing import CliRunner, Result

from api.app import create_app
from api.settings import ApiSettings
from local.cli import app
from local.errors import UserError
from logstats.settings import DatabaseSettings
from tests.days import insert_day


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
