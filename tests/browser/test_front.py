"""The page's front in a real browser: all customers, of none, one and ten thousand."""

import datetime as dt
from collections.abc import Callable, Iterator
from urllib.parse import urlencode

import psycopg
import pytest
from playwright.sync_api import Page, expect

from local.postgres import EmbeddedPostgres
from logstats.domain.histogram import LatencyHistogram
from tests.browser.conftest import LAST_DAY, Api
from tests.browser.test_page import open_page, values

DAY = {"from": str(LAST_DAY), "to": str(LAST_DAY)}
MONTH = {"from": "2024-09-04", "to": "2024-10-03"}
FILL = """
WITH days AS (
    INSERT INTO daily_statistics (customer_id, date, total_requests, client_errors, server_errors, untimed_requests,
        duration_sum_us, duration_min_us, duration_max_us, histogram, duration_p50_us, duration_p90_us,
        duration_p95_us, duration_p99_us)
    SELECT 'cust_' || number, %(last)s::date - back, 100, number %% 7, number %% 5, 99, 90000, 90000, 90000,
        %(histogram)s, 90000, 90000, 90000, 90000
    FROM generate_series(1, %(count)s) AS number, generate_series(0, 1) AS back
    RETURNING customer_id, date, total_requests
)
INSERT INTO customers (customer_id, revision, first_date, last_date, total_requests)
SELECT customer_id, nextval('revisions'), min(date), max(date), sum(total_requests) FROM days GROUP BY customer_id
"""


@pytest.fixture
def serve(server: EmbeddedPostgres) -> Iterator[Callable[[int], Api]]:
    """An API whose database has so many customers of two days."""
    running: list[Api] = []

    def start(count: int) -> Api:
        url = server.create_database(f"front_{count}", template="migrated")
        parameters = {"last": LAST_DAY, "count": count, "histogram": LatencyHistogram.of([90_000]).encoded}
        with psycopg.connect(url) as connection:
            connection.execute(FILL, parameters)
        running.append(Api(url))
        return running[-1]

    yield start
    for each in running:
        each.stop()


def ranked(page: Page) -> list[str]:
    return page.locator(".ranking tbody th").all_inner_texts()


def sort_by(page: Page, name: str) -> None:
    page.locator(".ranking thead").get_by_role("button", name=name, exact=True).click()
    expect(page.locator("body")).not_to_have_attribute("aria-busy", "true")


def test_the_front_opens_on_the_last_day_with_data_against_the_day_before(page: Page, api: Api) -> None:
    open_page(page, api)
    expect(page.locator("#range")).to_have_text("3 Oct 2024, UTC")
    overview = api.get("overview", **DAY)
    expect(page.locator("#all-totals .p99 data")).to_be_visible()
    names = (
        "total_requests active_customers uptime_percentage server_errors client_errors duration_p99".split()
    )
    assert values(page, "#all-totals data") == [overview["total"][name] for name in names]
    expect(page.locator("#compared")).to_have_text("Compared with 2 Oct 2024.")
    customers = api.get("customers", **DAY, limit="50")["customers"]
    assert ranked(page) == [row["customer_id"] for row in customers]
    assert values(page, '.ranking [data-field="duration_p99"]') == [row["duration_p99"] for row in customers]
    expect(page.locator('[aria-pressed="true"]')).to_have_text("1 day")
    expect(page.locator("#silent")).to_be_hidden()


def test_a_day_without_requests_names_who_fell_silent(page: Page, api: Api) -> None:
    day = str(LAST_DAY - dt.timedelta(60))
    open_page(page, api, **{"from": day, "to": day})
    expect(page.locator("#silent-title")).to_have_text("1 customer fell silent")
    expect(page.locator("#silent-list li")).to_contain_text("acme")
    expect(page.locator("#ranking")).to_have_text("No customer has requests in this range.")
    expect(page.locator("#all-totals")).to_contain_text("Uptime\N{EN DASH}")
    expect(page.locator("#inside")).to_be_hidden()


def test_yesterday_comes_before_a_day_that_is_not_over(page: Page, server: EmbeddedPostgres) -> None:
    url = server.create_database("front_today", template="migrated")
    today = dt.datetime.now(dt.UTC).date()
    with psycopg.connect(url) as connection:
        connection.execute("SELECT make_partitions(ARRAY[%s])", [today])
        connection.execute(
            FILL, {"last": today, "count": 1, "histogram": LatencyHistogram.of([90_000]).encoded}
        )
    api = Api(url)
    open_page(page, api)
    try:
        expect(page.get_by_label("From")).to_have_value(str(today - dt.timedelta(1)))
    finally:
        api.stop()


def test_every_column_sorts_in_both_directions(page: Page, api: Api) -> None:
    open_page(page, api, **MONTH)
    for name, sorts in (
        ("Customer", ["customer_id", "-customer_id"]),
        ("Uptime", ["uptime_percentage", "-uptime_percentage"]),
        ("p99", ["-duration_p99", "duration_p99"]),
        ("Change of requests", ["change_requests", "-change_requests"]),
    ):
        for sort in sorts:
            sort_by(page, name)
            direction = "descending" if sort.startswith("-") else "ascending"
            expect(page.locator(".ranking th[aria-sort]")).to_have_attribute("aria-sort", direction)
            expect(page).to_have_url(f"{api.url}?{urlencode({**MONTH, 'sort': sort})}")
            found = api.get("customers", **MONTH, sort=sort, limit="50")["customers"]
            assert ranked(page) == [row["customer_id"] for row in found]


def test_search_drill_down_next_and_back(page: Page, api: Api) -> None:
    open_page(page, api, **MONTH, sort="customer_id")
    page.get_by_label("Starting with").press_sequentially("cust_1")
    expect(page.locator(".ranking tbody tr")).to_have_count(4)
    page.locator(".ranking").get_by_role("link", name="cust_10").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("cust_10")
    expect(page.locator("#range")).to_have_text("4 Sep 2024 \N{EN DASH} 3 Oct 2024, UTC")
    way = page.get_by_role("navigation", name="List of customers")
    expect(way.get_by_role("link")).to_have_text(["All customers", "Previous: cust_1", "Next: cust_11"])
    way.get_by_role("link", name="Next").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("cust_11")
    page.reload()  # the list is asked for again
    expect(way.get_by_role("link")).to_have_text(["All customers", "Previous: cust_10", "Next: cust_12"])
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("cust_10")
    way.get_by_role("link", name="All customers").click()
    expect(page.locator(".ranking tbody tr")).to_have_count(4)
    expect(page).to_have_url(f"{api.url}?{urlencode({**MONTH, 'sort': 'customer_id', 'prefix': 'cust_1'})}")


def test_what_was_read_and_what_was_not_is_said(page: Page, api: Api) -> None:
    today = str(dt.datetime.now(dt.UTC).date())
    open_page(page, api, **{"from": "2024-09-04", "to": today})
    ledger = api.get("overview", **{"from": "2024-09-04", "to": today})["ledger"]
    assert ledger["rejected"] == 2
    expect(page.locator("#ledger")).to_contain_text(f"{ledger['objects']} files")
    expect(page.locator("#ledger")).to_contain_text("2 lines rejected")


@pytest.mark.parametrize("count", [1, 10_000])
def test_any_number_of_customers(page: Page, serve: Callable[[int], Api], count: int) -> None:
    api = serve(count)
    open_page(page, api)
    expect(page.locator("#all-totals .p99 data")).to_be_visible()
    assert values(page, "#all-totals data")[:2] == [100 * count, count]
    expect(page.locator(".ranking tbody tr")).to_have_count(min(count, 50))
    print(
        f"{count} customers: first numbers after",
        page.evaluate("performance.getEntriesByName('front')[0].startTime"),
    )
    if count > 50:
        page.locator("#ranking").get_by_role("button", name="Show more").click()
        expect(page.locator(".ranking tbody tr")).to_have_count(100)
        names = ranked(page)
        assert names == [row["customer_id"] for row in api.get("customers", **DAY, limit="100")["customers"]]
