"""Look inside a customer's days on the page: the hours, the routes and the status codes, as the API has them."""

import datetime as dt
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from tests.browser.conftest import Api, Look, ingest
from tests.browser.test_page import open_page, values
from tests.days import insert_day

FIRST, LAST = dt.date(2024, 10, 21), dt.date(2024, 10, 29)
WEEK = {"from": str(FIRST), "to": str(LAST)}
TWO_DAYS = {"from": str(LAST - dt.timedelta(1)), "to": str(LAST)}
HOSTILE = "/<img/src=x/onerror=alert(1)>"
STATUSES = (200, 200, 200, 200, 200, 404, 429, 499, 503)


def lines() -> Iterator[str]:
    """Requests of nine days, with a night without any; on the last Sunday of October clocks go back in Europe."""
    for number in range(2_000):
        moment = dt.datetime.combine(FIRST, dt.time(5)) + dt.timedelta(minutes=number * 6.3)
        if 1 <= moment.hour < 4 and moment.date() != dt.date(2024, 10, 27):
            continue
        path = (
            HOSTILE if number % 50 == 1 else f"/v1/things{'abcdefghijklmnopqrstuvwxyz'[number % 26]}/{number}"
        )
        status = STATUSES[number % len(STATUSES)]
        yield f"{moment:%Y-%m-%d %H:%M:%S} {'other' if number % 10 == 0 else 'shop'} {path} {status} 0.{number % 900 + 1:03}"


@pytest.fixture(scope="module")
def divided(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    """An API that has the statistics of `lines`, and a day without a breakdown of the same customer."""
    url = server.create_database("inside_days", template="migrated")
    log = tmp_path_factory.mktemp("inside") / "shop.log"
    log.write_text("\n".join(lines()), encoding="utf-8")
    ingest(url, log)
    engine = create_engine(DatabaseSettings(url=url, tls="disable", iam_auth=False))
    insert_day(engine, "shop", FIRST - dt.timedelta(1), [120_000])
    engine.dispose()
    api = Api(url)
    yield api
    api.stop()


def shop(page: Page, api: Api, **state: str) -> None:
    open_page(page, api, **{"customer": "shop", **WEEK, **state})


def hour_at(page: Page) -> str:
    """Return what a screen reader says of the hour that the heat map's cursor is at."""
    return page.locator("#hours input").get_attribute("aria-valuetext") or ""


def test_every_hour_is_in_the_heat_map_and_in_its_table(page: Page, divided: Api) -> None:
    shop(page, divided)
    hours = divided.stats("shop", **WEEK, interval="hour").json()
    expect(page.locator("#hours rect.heat")).to_have_count(24 * 9)
    expect(page.locator("#hours rect.heat.none")).to_have_count(24 * 9 - len(hours))
    page.locator("#hours summary").click()
    rows = page.locator("#hours tr[data-hour]").evaluate_all("all => all.map(one => one.dataset.hour)")
    assert rows == [hour["hour"] for hour in hours]
    for field in ("total_requests", "server_errors", "client_errors", "duration_p99"):
        assert values(page, f'#hours [data-field="{field}"]') == [hour[field] for hour in hours]
    expect(page.locator("#hours-missing")).to_be_hidden()


def test_the_heat_map_is_read_with_the_keyboard(page: Page, divided: Api) -> None:
    shop(page, divided)
    by_hour = {hour["hour"][:13]: hour for hour in divided.stats("shop", **WEEK, interval="hour").json()}
    page.locator("#hours input").focus()
    assert hour_at(page) == "Mon 21 Oct 2024, 00:00: no requests"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    assert hour_at(page) == f"Mon 28 Oct 2024, 23:00: Requests {by_hour['2024-10-28T23']['total_requests']}"
    expect(page.locator("#hours-legend .period")).to_have_text(hour_at(page))
    page.get_by_label("Colour").select_option("server errors (5xx)")
    expect(page).to_have_url(re.compile("&measure=server_errors$"))
    page.locator("#hours input").focus()
    page.keyboard.press("End")
    page.keyboard.press("ArrowUp")
    assert hour_at(page).endswith(f"Server errors (5xx) {by_hour['2024-10-28T23']['server_errors']}")


def test_the_hours_of_a_zone_are_those_of_its_clock(page: Page, divided: Api) -> None:
    shop(page, divided, tz="Europe/Berlin")
    hours = divided.stats("shop", **WEEK, interval="hour", tz="Europe/Berlin").json()
    twice = [hour for hour in hours if hour["hour"].startswith("2024-10-27T02")]
    assert [hour["hour"][19:] for hour in twice] == ["+02:00", "+01:00"]
    box = page.locator("#hours rect.heat").nth(6 * 24 + 2)
    box.hover()
    total = sum(hour["total_requests"] for hour in twice)
    expect(page.locator("#hours-legend .period")).to_have_text(
        f"Sun 27 Oct 2024, 02:00 +02:00: Requests {total}"
    )
    page.get_by_label("Zone").select_option("UTC")
    expect(page.locator("#hours rect.heat.none")).to_have_count(
        24 * 9 - len(divided.stats("shop", **WEEK, interval="hour").json())
    )
    expect(page).to_have_url(re.compile(r"^[^?]+\?((?!tz=).)*$"))
    page.locator("#hours rect.heat").last.hover(force=True)  # an empty square lets the pointer through
    expect(page.locator("#hours-legend .period")).to_have_text(
        re.compile("^Tue 29 Oct 2024, 23:00: no requests$")
    )


def test_what_cannot_be_divided_into_hours_says_why(page: Page, divided: Api) -> None:
    shop(page, divided, tz="Asia/Kathmandu")
    expect(page.locator("#hours")).to_contain_text("+05:45")
    expect(page.locator("#routes tbody tr")).to_have_count(20)
    shop(page, divided, **{"from": "2024-09-01"})
    expect(page.locator("#hours")).to_contain_text("up to 31 days")
    expect(page.get_by_label("Zone")).to_be_hidden()
    shop(page, divided, **{"from": str(FIRST - dt.timedelta(1))})
    for part in ("hours", "routes", "statuses"):
        expect(page.locator(f"#{part}-missing")).to_contain_text("1 day with requests is missing here")


def test_routes_are_sorted_and_come_20_at_a_time(page: Page, divided: Api) -> None:
    shop(page, divided)
    names = page.locator("#routes tbody th")
    expect(names).to_have_count(20)
    page.locator("#routes").get_by_role("button", name="Show more").click()
    expected = divided.get("customers/shop/routes", **WEEK)["rows"]
    expect(names).to_have_text([row["route"] for row in expected])
    assert HOSTILE in [row["route"] for row in expected]
    page.locator("#routes").get_by_role("button", name="p99").click()
    slowest = divided.get("customers/shop/routes", **WEEK, sort="-duration_p99", limit="20")["rows"]
    expect(names).to_have_text([row["route"] for row in slowest])
    assert values(page, '#routes [data-field="duration_p99"]') == [row["duration_p99"] for row in slowest]
    expect(page.locator("#routes").get_by_role("button", name="p99")).to_be_focused()
    expect(page).to_have_url(re.compile("&order=-duration_p99$"))
    page.reload()
    expect(names).to_have_text([row["route"] for row in slowest])


def test_a_route_leads_to_its_customers_and_back(page: Page, divided: Api) -> None:
    shop(page, divided)
    page.locator("#routes").get_by_role("button", name="Show more").click()
    page.locator("#routes").get_by_role("link", name="/v1/thingsc/{id}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("/v1/thingsc/{id}")
    expected = divided.get("routes/customers", **WEEK, route="/v1/thingsc/{id}")["rows"]
    assert {row["customer_id"] for row in expected} == {"shop", "other"}
    expect(page.locator("#callers tbody th")).to_have_text([row["customer_id"] for row in expected])
    page.locator("#callers").get_by_role("link", name="other").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("other")
    page.go_back()
    page.get_by_role("link", name="All customers", exact=True).click()
    expect(page.locator("#ranking tbody tr")).to_have_count(2)


def test_codes_of_one_kind_are_told_apart(page: Page, divided: Api) -> None:
    shop(page, divided)
    expected = divided.get("customers/shop/statuses", **WEEK)["rows"]
    assert [row["status"] for row in expected] == [200, 404, 429, 499, 503]
    expect(page.locator("#statuses tbody th")).to_have_text([str(row["status"]) for row in expected])
    assert values(page, "#statuses data") == [row["total_requests"] for row in expected]
    kinds = page.locator("#statuses .key").evaluate_all("all => all.map(one => one.classList[1])")
    assert kinds == ["success", "client", "client", "client", "server"]
    expect(page.locator("#statuses rect")).to_have_count(5)
    expect(page.locator("#statuses")).to_contain_text("Too Many Requests")


def test_the_front_has_the_routes_and_codes_of_all_customers(page: Page, divided: Api) -> None:
    open_page(page, divided, **WEEK)
    routes = divided.get("routes", **WEEK, limit="20")["rows"]
    expect(page.locator("#routes tbody th")).to_have_text([row["route"] for row in routes])
    assert values(page, '#routes [data-field="total_requests"]') == [row["total_requests"] for row in routes]
    codes = divided.get("statuses", **WEEK)["rows"]
    assert values(page, "#statuses data") == [row["total_requests"] for row in codes]
    assert (
        sum(row["total_requests"] for row in codes)
        == divided.get("overview", **WEEK)["total"]["total_requests"]
    )
    page.locator("#routes").get_by_role("button", name="Route").click()
    first = divided.get("routes", **WEEK, sort="route", limit="20")["rows"]
    expect(page.locator("#routes tbody th")).to_have_text([row["route"] for row in first])
    page.locator("#routes tbody a").first.click()
    expect(page.get_by_role("heading", level=1)).to_have_text(first[0]["route"])
    expect(page.locator("#inside")).to_be_hidden()


def test_many_days_of_all_customers_are_divided_only_if_a_button_says_so(page: Page, divided: Api) -> None:
    """The answer of `/overview` is changed, so that there are many."""

    def crowd(route: Route) -> None:
        answer = route.fetch()
        overview = answer.json()
        for day in overview["days"]:
            day["active_customers"] = 10_000
        route.fulfill(response=answer, json=overview)

    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    page.route("**/overview?*", crowd)
    open_page(page, divided, **WEEK)
    expect(page.locator("#inside-days")).to_contain_text("90,000 days")
    assert not {"/routes", "/statuses"} & set(asked)
    page.get_by_role("button", name="Show routes and status codes").click()
    expect(page.locator("#routes tbody tr")).to_have_count(20)
    expect(page.locator("#inside-question")).to_be_hidden()
    page.locator(".ranking thead").get_by_role("button", name="p50").click()  # on the same range they stay
    expect(page.locator("body")).not_to_have_attribute("aria-busy", "true")
    expect(page.locator("#inside-question")).to_be_hidden()


CSV_FILES = {
    "ranking": ("all", "customers", {"sort": "-server_errors"}, "customers"),
    "routes": ("all", "routes", {"sort": "-total_requests", "limit": "1000"}, "all_routes"),
    "statuses": ("shop", "customers/shop/statuses", {}, "shop_statuses"),
    "hours": ("shop", "customers/shop/stats", {"interval": "hour", "tz": "Asia/Tokyo"}, "shop_hours"),
}


@pytest.mark.parametrize("part", CSV_FILES)
def test_the_csv_of_a_part_is_the_apis(page: Page, divided: Api, part: str) -> None:
    whose, path, query, name = CSV_FILES[part]
    state = {"customer": "shop", "tz": "Asia/Tokyo"} if whose == "shop" else {}
    open_page(page, divided, **WEEK, **state)
    with page.expect_download() as download:
        page.locator(f"#{part}-csv").click()
    assert download.value.suggested_filename == f"{name}_{FIRST}_{LAST}.csv"
    expected = httpx.get(f"{divided.url}{path}", params={**WEEK, **query, "format": "csv"}).content
    assert expected.count(b"\r\n") > 2
    assert download.value.path().read_bytes() == expected


def test_a_csv_of_many_answers_is_one_file(page: Page, divided: Api) -> None:
    """Behind a gateway an answer has at most 1,000 rows; here, one."""

    def divide(route: Route) -> None:
        one = "" if "limit=" in route.request.url else "&limit=1"
        route.continue_(url=f"{route.request.url}{one}")

    page.route("**/customers?*format=csv*", divide)
    open_page(page, divided, **WEEK)
    with page.expect_download() as download:
        page.locator("#ranking-csv").click()
    query = {**WEEK, "sort": "-server_errors", "format": "csv"}
    assert download.value.path().read_bytes() == httpx.get(f"{divided.url}customers", params=query).content


TOO_MUCH: dict[str, Any] = {
    "status": 422,
    "json": {
        "detail": [
            {"loc": ["query", "to"], "msg": "the breakdowns have more than 384 MiB; choose fewer days"}
        ]
    },
}


def test_what_is_refused_says_so_in_its_place(page: Page, divided: Api) -> None:
    page.route(re.compile(r"/routes\?(?!.*csv)"), lambda route: route.fulfill(**TOO_MUCH))
    page.route("**/statuses?*csv", lambda route: route.fulfill(**TOO_MUCH))
    page.route(re.compile(r"/customers\?.*sort=-duration_p99"), lambda route: route.fulfill(**TOO_MUCH))
    open_page(page, divided, **WEEK)
    expect(page.locator("#routes")).to_contain_text("choose fewer days")
    expect(page.locator("#routes-csv")).to_be_hidden()
    page.locator("#statuses-csv").click()
    expect(page.locator(".head:has(#statuses-csv) + [role=alert]")).to_contain_text("choose fewer days")
    expect(page.locator("#statuses tbody tr")).to_have_count(5)
    page.locator(".ranking thead").get_by_role("button", name="p99", exact=True).click()
    expect(page.locator("#ranking")).to_contain_text("choose fewer days")
    expect(page.locator("#all-totals .p99 data")).to_be_visible()
    page.get_by_role("button", name="Most server errors first").click()
    expect(page.locator("#ranking tbody tr")).to_have_count(2)


def test_a_part_whose_database_is_away_asks_again(page: Page, divided: Api) -> None:
    away: dict[str, Any] = {
        "status": 503,
        "headers": {"Retry-After": "2"},
        "json": {"detail": "The database is not available yet."},
    }
    page.route("**/statuses?*", lambda route: route.fulfill(**away), times=1)
    open_page(page, divided, **WEEK)
    expect(page.locator("#statuses")).to_contain_text("The page asks again in")
    expect(page.locator("#statuses tbody tr")).to_have_count(5)


def test_axe_finds_no_violation_inside_days(look: Look, divided: Api) -> None:
    page = look.page
    page.route(
        re.compile(r"/(customers|routes)\?.*sort=-duration_(p99|max)"),
        lambda route: route.fulfill(**TOO_MUCH),
    )
    views = {
        "all": {},
        "refused": {"sort": "-duration_p99", "order": "-duration_max"},
        "inside": {"customer": "shop"},
        "errors": {"customer": "shop", "tz": "Asia/Kathmandu"},
        "route": {"route": HOSTILE},
    }
    for name, state in views.items():
        open_page(page, divided, **{**TWO_DAYS, **state})
        if name == "inside":
            page.locator("#hours summary").click()
        expect(page.locator("#message")).to_be_hidden()
        look.check(name)
        if name == "inside":
            page.locator("#hours summary").click()
        look.keep(name)
