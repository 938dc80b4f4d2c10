"""The page in a real browser: what its parts show, draw and ask for. One page, whose parts depend on each other: one module."""

import csv
import datetime as dt
import io
from collections.abc import Iterator
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
from playwright.sync_api import Page, expect

from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.models import Customer, DailyStatistics
from logstats.settings import DatabaseSettings
from tests.browser.conftest import HOSTILE, LAST_DAY, Api
from tests.days import insert_day

YEAR = {"customer": "acme", "from": "2023-10-05", "to": "2024-10-03"}


def open_page(page: Page, api: Api, **state: str) -> None:
    page.goto(f"{api.url}?{urlencode(state)}")
    expect(page.locator("body")).not_to_have_attribute("aria-busy", "true", timeout=20_000)


def values(page: Page, selector: str) -> list[float]:
    return [float(text) for text in page.locator(selector).evaluate_all("all => all.map(one => one.value)")]


def slider(page: Page, chart: str) -> str:
    """What a screen reader says of the period the chart's cursor is at."""
    return page.locator(f"#{chart} input").get_attribute("aria-valuetext") or ""


def test_every_number_of_the_table_and_the_totals_is_the_apis(page: Page, api: Api) -> None:
    open_page(page, api, **YEAR)
    days = api.stats("acme", **{"from": YEAR["from"], "to": YEAR["to"]}).json()
    fields = [name for name in days[0] if name not in {"customer_id", "date"}]
    rows = page.locator("#table tr[data-date]").evaluate_all(
        """rows => rows.map(row => [row.dataset.date,
            Object.fromEntries([...row.querySelectorAll("data")].map(one => [one.dataset.field, Number(one.value)]))])"""
    )
    assert rows == [[day["date"], {name: day[name] for name in fields}] for day in days]

    (total,) = api.stats("acme", **{"from": YEAR["from"], "to": YEAR["to"], "interval": "total"}).json()
    shown = values(page, "#totals data")
    names = "total_requests success_requests client_errors server_errors uptime_percentage duration_p50"
    latencies = "duration_mean duration_p90 duration_p95 duration_p99 duration_max"
    assert shown == [total[name] for name in [*names.split(), *latencies.split()]]


def test_the_charts_draw_every_day_and_hatch_those_without_requests(page: Page, api: Api) -> None:
    first = LAST_DAY - dt.timedelta(399)
    open_page(page, api, **{"customer": "acme", "from": str(first), "to": str(LAST_DAY)})
    days = {day["date"]: day for day in api.stats("acme", **{"from": str(first)}).json()}
    bars = page.locator("#requests path.bar.success").get_attribute("d") or ""
    assert bars.count("M") == sum(day["success_requests"] > 0 for day in days.values())
    missing = [str(first + dt.timedelta(n)) for n in range(400) if str(first + dt.timedelta(n)) not in days]
    runs = sum(str(dt.date.fromisoformat(day) - dt.timedelta(1)) not in missing for day in missing)
    for chart in ("requests", "latency", "uptime"):
        expect(page.locator(f"#{chart} rect.gap")).to_have_count(runs)
    expect(page.locator("#table tr.none")).to_have_count(runs)
    expect(page.locator("#status")).to_contain_text(f"on {len(days)} days of 400")


@pytest.fixture(scope="module")
def untimed(full_database: str) -> Iterator[str]:
    """A customer with a day of some durations, one of none, one of all, and its last of none; gone at the end."""
    engine = create_engine(DatabaseSettings(url=full_database, tls="disable", iam_auth=False))
    for back, durations_us, untimed in ((3, [120_000], 1), (2, [], 5), (1, [250_000, 90_000], 0), (0, [], 2)):
        insert_day(engine, "untimed", LAST_DAY - dt.timedelta(back), durations_us, untimed=untimed)
    insert_day(engine, "never timed", LAST_DAY, [], untimed=1)
    yield "untimed"
    with engine.begin() as connection:
        for table in (DailyStatistics, Customer):
            connection.execute(sa.delete(table).where(table.customer_id.in_(("untimed", "never timed"))))
    engine.dispose()


def test_days_without_durations_are_gaps_in_the_latency_and_dashes_in_the_table(
    page: Page, api: Api, untimed: str
) -> None:
    open_page(page, api, customer=untimed, **{"from": "2024-09-30"}, scale="log")
    cells = page.locator("#table tr[data-date]").evaluate_all(
        """rows => rows.map(row => [...row.querySelectorAll("data")]
            .filter(one => one.dataset.field.match(/timed|p99/)).map(one => one.innerText))"""
    )
    dash = "\N{EN DASH}"
    assert cells == [["1", "120\u00a0ms"], ["0", dash], ["2", "250\u00a0ms"], ["0", dash]]
    line = page.locator("#latency path.line.p99").get_attribute("d") or ""
    assert (line.count("M"), line.count("L")) == (2, 0)
    expect(page.locator("#latency text.name")).to_have_count(3)
    expect(page.locator("#latency rect.gap")).to_have_count(0)
    expect(page.locator("#totals")).to_contain_text("of 3 requests with a duration")
    page.locator("#latency input").focus()
    page.keyboard.press("End")
    assert slider(page, "latency") == f"Thu 3 Oct 2024: p50 {dash}, p90 {dash}, p99 {dash}"


def test_a_customer_that_never_has_a_duration_has_its_report(page: Page, api: Api, untimed: str) -> None:
    assert untimed
    open_page(page, api, customer="never timed")
    expect(page.locator("#totals")).to_contain_text("of 0 requests with a duration")
    assert page.locator("#latency path.line.p50").get_attribute("d") == ""
    page.get_by_role("switch", name="Log scale").click()
    expect(page.locator("#latency text.name")).to_have_count(0)


def test_a_chart_is_read_with_the_keyboard(page: Page, api: Api) -> None:
    open_page(page, api, **YEAR)
    days = {day["date"]: day for day in api.stats("acme", **{"from": YEAR["from"]}).json()}
    page.locator("#requests input").focus()
    page.keyboard.press("Home")
    day = days["2023-10-05"]
    expect(page.locator("#requests-legend .period")).to_have_text("Thu 5 Oct 2023")
    assert slider(page, "requests") == (
        f"Thu 5 Oct 2023: Success {day['success_requests']}, Client error (4xx) {day['client_errors']}, "
        f"Server error (5xx) {day['server_errors']}"
    )
    page.keyboard.press("ArrowRight")
    expect(page.locator("#uptime-legend .period")).to_have_text(
        "Fri 6 Oct 2023"
    )  # the charts share the cursor
    assert slider(page, "latency").startswith("Fri 6 Oct 2023: p50 ")
    page.locator("#table-csv").focus()
    expect(page.locator("#requests-legend .period")).to_have_text("")


def test_search_completes_and_chooses(page: Page, api: Api) -> None:
    open_page(page, api)
    search = page.get_by_role("combobox", name="Customer")
    search.press_sequentially("cust_1")
    options = page.get_by_role("option")
    expect(options).to_have_count(4)
    assert options.locator("bdi").all_inner_texts() == ["cust_1", "cust_10", "cust_11", "cust_12"]
    search.press("ArrowDown")
    search.press("ArrowDown")
    expect(page.get_by_role("option", selected=True)).to_contain_text("cust_10")
    search.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("cust_10")
    expect(page).to_have_url(f"{api.url}?customer=cust_10")
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("All customers")


def test_presets_dates_and_intervals_ask_again_and_stay_in_the_address(page: Page, api: Api) -> None:
    open_page(page, api, customer="acme")
    expect(page.get_by_role("button", name="30 days")).to_have_attribute("aria-pressed", "true")
    expect(page.locator('[aria-pressed="true"]')).to_have_count(1)
    page.get_by_role("button", name="7 days", exact=True).click()
    expect(page.locator("#range")).to_have_text("27 Sep 2024 \N{EN DASH} 3 Oct 2024, UTC")
    page.get_by_label("From").fill("2024-09-01")
    expect(page.locator("#range")).to_have_text("1 Sep 2024 \N{EN DASH} 3 Oct 2024, UTC")
    page.locator("#interval").select_option("month")
    expect(page.locator("#table tr[data-date]")).to_have_count(2)
    months = api.stats("acme", **{"from": "2024-09-01", "to": "2024-10-03", "interval": "month"}).json()
    shown = values(page, '#table [data-field="total_requests"]')
    assert shown == [month["total_requests"] for month in months]
    expect(page).to_have_url(f"{api.url}?customer=acme&from=2024-09-01&to=2024-10-03&interval=month")


def test_a_deep_link_shows_the_same_view(page: Page, api: Api) -> None:
    open_page(page, api, **YEAR, scale="log", objective="98.5", interval="week")
    expect(page.get_by_role("switch", name="Log scale")).to_be_checked()
    expect(page.get_by_role("spinbutton", name="Objective")).to_have_value("98.5")
    expect(page.get_by_label("From")).to_have_value("2023-10-05")
    weeks = api.stats("acme", **{"from": YEAR["from"], "to": YEAR["to"], "interval": "week"}).json()
    assert values(page, '#table [data-field="duration_p99"]') == [week["duration_p99"] for week in weeks]


def test_the_scale_switches(page: Page, api: Api) -> None:
    open_page(page, api, **YEAR)
    before = page.locator("#latency path.line.p99").get_attribute("d")
    page.get_by_role("switch", name="Log scale").click()
    expect(page.locator("#latency path.line.p99")).not_to_have_attribute("d", before or "")
    assert "scale=log" in page.url


def test_the_objective_finds_the_days_that_missed_it(page: Page, api: Api) -> None:
    open_page(page, api, **YEAR)
    days = api.stats("acme", **{"from": YEAR["from"], "to": YEAR["to"]}).json()
    for objective in (99.9, 97.0):
        page.get_by_role("spinbutton", name="Objective").fill(str(objective))
        bad = [day for day in days if day["uptime_percentage"] < objective]
        assert 0 < len(bad) < len(days)
        expect(page.locator("#objective-result strong")).to_contain_text(f"{len(bad)} of {len(days)} days")
        assert values(page, ".missed data") == [day["uptime_percentage"] for day in bad]


def test_the_csv_is_the_apis(page: Page, api: Api) -> None:
    open_page(page, api, **YEAR)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download CSV of the numbers").click()
    assert download.value.suggested_filename == "acme_2023-10-05_2024-10-03.csv"
    query = {"from": YEAR["from"], "to": YEAR["to"]}
    saved = download.value.path().read_bytes()
    assert saved == api.stats("acme", **query, format="csv").content
    assert len(list(csv.DictReader(io.StringIO(saved.decode())))) == len(api.stats("acme", **query).json())


@pytest.mark.parametrize("name", HOSTILE, ids=lambda name: ascii(name)[:20])
def test_a_hostile_name_is_text(page: Page, api: Api, name: str) -> None:
    open_page(page, api)
    page.locator(".ranking bdi").get_by_text(name, exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_have_text(name)
    expect(page.locator("#numbers")).to_be_visible()
    assert page.title() == f"\u2068{name}\u2069 · logstats"
    assert page.locator("#main script, #main img").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_ingested_files_are_listed_with_their_rejected_lines(page: Page, api: Api) -> None:
    open_page(page, api)
    files = page.locator(".files tbody tr")
    expect(files).to_have_count(3)
    assert [row.split("/")[-1] for row in files.locator("th").all_inner_texts()] == [
        "table.parquet",
        "second.log",
        "first.log",
    ]
    assert sorted(files.nth(1).locator(".reasons li").all_inner_texts()) == ["1 duration", "1 layout"]
    expect(files.nth(1).locator('[data-field="rejected"]')).to_have_text("2")
    expect(files.nth(0)).to_contain_text("ignored")
    expect(files.nth(1).locator("td").nth(2)).to_have_text("logstats")
    expect(files.nth(1).locator('[data-field="skipped"]')).to_have_text("0")


def test_header_cells_stand_over_their_columns(page: Page, api: Api) -> None:
    alignments = """tables => tables.map(table => [".", "tbody"].map((_, part) =>
        [...(part ? table.tBodies[0] : table.tHead).rows[0].cells].map(cell => getComputedStyle(cell).textAlign)))"""
    open_page(page, api)
    page.locator("table.ranking tbody tr").first.wait_for()
    page.locator("table.files tbody tr").first.wait_for()
    tables = page.locator("table").evaluate_all(alignments)
    assert len(tables) >= 2
    for head, first_row in tables:
        assert head == first_row


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ({"customer": "nobody"}, "No log line names this customer"),
        ({"customer": "acme", "from": "2030-01-01", "to": "2030-01-31"}, "There are some from 31 Aug 2023"),
        ({"customer": ".."}, "A browser cannot ask for this name"),
    ],
)
def test_nothing_to_show_is_explained(page: Page, api: Api, state: dict[str, str], words: str) -> None:
    open_page(page, api, **state)
    expect(page.locator("#message-here")).to_contain_text(words)
    expect(page.locator("#numbers")).to_be_hidden()


def test_a_range_that_ends_before_it_begins_is_told_in_the_apis_words(page: Page, api: Api) -> None:
    open_page(page, api, **{"customer": "acme", "from": "2024-10-03", "to": "2024-10-01"})
    expect(page.get_by_role("alert")).to_contain_text("Input should not be before 'from'")


@pytest.fixture
def empty(server: EmbeddedPostgres) -> Iterator[Api]:
    running = Api(server.create_database("page_empty", template="migrated"))
    yield running
    running.stop()


def test_an_empty_database_says_how_to_fill_it_and_a_stopped_api_how_to_start_it(
    page: Page, empty: Api
) -> None:
    open_page(page, empty)
    expect(page.get_by_role("heading", level=1)).to_have_text("No statistics yet")
    expect(page.locator("#welcome pre").first).to_have_text("aws s3 cp api_requests.log s3://<bucket>/")
    expect(page.locator("#ingestions")).to_have_text("None yet.")

    empty.stop()
    page.get_by_role("combobox", name="Customer").fill("acme")
    page.get_by_role("combobox", name="Customer").press("Enter")
    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("The API does not answer")
    expect(alert).to_contain_text("logstats serve")

    empty.start(empty.port)
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#message-here")).to_contain_text("No log line names this customer")
    expect(alert).to_be_hidden()
