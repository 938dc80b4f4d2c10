"""Compare what is inside a day, by hour, route and status, and days of a time zone, against brute force over the lines."""

import asyncio
import csv
import datetime as dt
import io
import itertools
import random
from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote
from zoneinfo import ZoneInfo

import httpx
import pytest
import sqlalchemy as sa
from fastapi import FastAPI

import api.breakdown.sums
import api.statistics.query
from api.app import create_app
from api.settings import ApiSettings
from logstats.settings import DatabaseSettings
from processor.ingest import Ingestor
from processor.reading.rules import FormatRule
from tests import oracle
from tests.asgi import ask
from tests.days import insert_day
from tests.ingests import ingest

CUSTOMERS = ("=SUM(A1)", "<b>", "a/b", "cust_1", "cust_2", "é")
PATHS = ("/", "/v1/orders/17", "/v1/orders/4711", "/v1/<b>", "/=1+1", "/search")
CHANGES = {
    "Europe/Berlin": (dt.date(2024, 3, 31), dt.date(2024, 10, 27)),
    "America/New_York": (dt.date(2024, 3, 10), dt.date(2024, 11, 3)),
    "Asia/Kolkata": (dt.date(2024, 2, 29),),
    "Australia/Lord_Howe": (dt.date(2024, 4, 7), dt.date(2024, 10, 6)),
}
"""Days on which zones change their clocks, if they do."""
PERCENTILES = ("duration_p50", "duration_p90", "duration_p95", "duration_p99", "duration_max")


class Request(NamedTuple):
    moment: dt.datetime
    customer: str
    route: str
    status: int
    duration: Decimal | None


def requests(seed: int, days: Iterable[dt.date], a_day: int = 150) -> list[Request]:
    """Requests at random moments, many of them close to the ends of half-hours."""
    rng = random.Random(seed)
    found = []
    for day in days:
        for _ in range(a_day):
            half_hour = dt.timedelta(minutes=30 * rng.randrange(48))
            second = dt.timedelta(seconds=rng.choice((0, 1_799, rng.randrange(1_800))))
            status = rng.choice((200, 200, 201, 302, 404, 429, 499, 500, 503))
            path = rng.choice(PATHS)
            route = "(not found)" if status == 404 else path.replace("17", "{id}").replace("4711", "{id}")
            duration = (
                None
                if rng.random() < 0.1
                else Decimal(rng.choice((0, rng.randrange(300), rng.randrange(16_000_000)))) / 1_000_000
            )
            moment = dt.datetime.combine(day, dt.time(), dt.UTC) + half_hour + second
            found.append(Request(moment, rng.choice(CUSTOMERS), f"{path}\n{route}", status, duration))
    return found


def lines(found: Iterable[Request]) -> Iterator[str]:
    for each in found:
        path = each.route.split("\n")[0]
        duration = "-" if each.duration is None else each.duration
        yield f"{each.moment:%Y-%m-%d %H:%M:%S} {each.customer} {path} {each.status} {duration}"


def grouped(found: Iterable[Request], key: Callable[[Request], Hashable]) -> dict[Any, dict[str, Any]]:
    groups = defaultdict(list)
    for each in found:
        groups[key(each)].append((each.status, each.duration))
    return {name: oracle.of_entries(entries) for name, entries in groups.items()}


def near(expected: dict[str, Any]) -> dict[str, Any]:
    """Return what is to be answered: all but the percentiles and the longest duration is exact."""
    return {
        name: pytest.approx(value, rel=0.004, abs=1e-9)
        if name in PERCENTILES and value is not None
        else value
        for name, value in expected.items()
    }


@pytest.fixture
def app(database: DatabaseSettings) -> FastAPI:
    return create_app(database, ApiSettings(auth="none", answer_seconds=25))


def read(app: FastAPI, *targets: str) -> list[httpx.Response]:
    """The answers to some requests, on one event loop."""

    async def main() -> list[httpx.Response]:
        async with app.router.lifespan_context(app):
            return [await ask(app, target) for target in targets]

    answers = asyncio.run(main())
    for answer, target in zip(answers, targets, strict=True):
        assert answer.status_code == 200, f"{target}: {answer.text}"
    return answers


@pytest.mark.parametrize("zone", CHANGES)
def test_hours_and_days_of_a_zone_are_those_of_brute_force(
    app: FastAPI, ingestor: Ingestor, tmp_path: Path, zone: str
) -> None:
    tz = ZoneInfo(zone)
    days = [date + dt.timedelta(number) for date in CHANGES[zone] for number in range(-2, 3)]
    found = requests(1, days)
    assert ingest(ingestor, tmp_path / "log", lines(found)).rejected == 0
    for customer in CUSTOMERS[2:4]:
        for date in CHANGES[zone]:
            first, last = date - dt.timedelta(1), date + dt.timedelta(1)
            own = [
                each
                for each in found
                if each.customer == customer and first <= each.moment.astimezone(tz).date() <= last
            ]
            target = f"/customers/{quote(customer, safe='')}/stats?from={first}&to={last}&tz={quote(zone, safe='')}"
            intervals = ("day", "hour", "week", "month", "total")
            by_day, by_hour, by_week, by_month, total = read(
                app, *(f"{target}&interval={each}" for each in intervals)
            )

            def of_day(each: Request) -> dt.date:
                return each.moment.astimezone(tz).date()

            expected = grouped(own, of_day)
            assert by_day.json() == [
                {"customer_id": customer, "date": f"{day}", **near(expected[day])} for day in sorted(expected)
            ]
            check_hours(by_hour.json(), customer, own, tz)
            assert [row["date"] for row in by_week.json()] == sorted(
                {f"{day - dt.timedelta(day.weekday())}" for day in expected}
            )
            assert [row["date"] for row in by_month.json()] == sorted(
                {f"{day.replace(day=1)}" for day in expected}
            )
            ((_, whole),) = grouped(own, lambda _: 0).items()
            assert total.json() == [{"customer_id": customer, "date": f"{min(expected)}", **near(whole)}]
            assert by_day.headers["Days-Without-Breakdown"] == "0"


def check_hours(rows: list[dict[str, Any]], customer: str, own: list[Request], tz: ZoneInfo) -> None:
    """Compare hours; each begins at a whole hour of the zone's clock, or where the clock has been changed within an hour."""

    def hour_of(each: Request) -> tuple[dt.datetime, str]:
        local = each.moment.astimezone(tz)
        return local.replace(minute=0, second=0, tzinfo=None), local.isoformat()[-6:]

    expected = grouped(own, hour_of)
    assert len(rows) == len(expected)
    starts = [dt.datetime.fromisoformat(row["hour"]) for row in rows]
    assert starts == sorted(set(starts))
    for row, start in zip(rows, starts, strict=True):
        assert start.astimezone(tz).isoformat() == row["hour"], (
            "it is a moment that the zone's clock has shown"
        )
        key = start.replace(minute=0, tzinfo=None), row["hour"][-6:]
        assert row == {
            "customer_id": customer,
            "date": f"{start.date()}",
            "hour": row["hour"],
            **near(expected[key]),
        }


def test_half_an_hour_is_what_lord_howe_leaves_out_or_repeats(
    app: FastAPI, ingestor: Ingestor, tmp_path: Path
) -> None:
    every_half_hour = [
        Request(
            dt.datetime(2024, month, day, tzinfo=dt.UTC) + dt.timedelta(minutes=30 * number),
            "a",
            "/\n/",
            200,
            None,
        )
        for month, day in ((4, 6), (10, 5))
        for number in range(96)
    ]
    ingest(ingestor, tmp_path / "log", lines(every_half_hour))
    target = "/customers/a/stats?tz=Australia/Lord_Howe&from={0}&to={0}"
    autumn, spring, hours = read(
        app,
        target.format("2024-04-07"),
        target.format("2024-10-06"),
        target.format("2024-10-06") + "&interval=hour",
    )
    assert [row["total_requests"] for row in autumn.json()] == [49]
    assert [row["total_requests"] for row in spring.json()] == [47]
    assert [row["hour"] for row in hours.json()][1:4] == [
        "2024-10-06T01:00:00+10:30",
        "2024-10-06T02:30:00+11:00",
        "2024-10-06T03:00:00+11:00",
    ]


def test_csv_has_the_same_rows(app: FastAPI, ingestor: Ingestor, tmp_path: Path) -> None:
    ingest(ingestor, tmp_path / "log", lines(requests(2, [dt.date(2024, 9, 3)])))
    for customer in CUSTOMERS:
        for target in (
            f"/customers/{quote(customer, safe='')}/stats?from=2024-09-01&interval=hour",
            f"/customers/{quote(customer, safe='')}/stats?from=2024-09-01&tz=Asia/Kolkata",
            f"/customers/{quote(customer, safe='')}/routes?from=2024-09-01",
            f"/customers/{quote(customer, safe='')}/statuses?from=2024-09-01",
        ):
            as_json, as_csv = read(app, target, f"{target}&format=csv")
            rows = as_json.json()
            rows = rows if isinstance(rows, list) else rows["rows"]
            assert rows
            shown = list(csv.DictReader(io.StringIO(as_csv.text, newline="")))
            assert [list(row) for row in shown] == [list(row) for row in rows]
            assert [{name: _value(name, text) for name, text in row.items()} for row in shown] == rows
            assert as_csv.headers["Days-Without-Breakdown"] == "0"


def _value(name: str, text: str) -> object:
    if name in ("customer_id", "date", "hour", "route"):
        return text
    return None if not text else float(text)


def test_routes_and_statuses_are_those_of_brute_force(
    app: FastAPI, ingestor: Ingestor, tmp_path: Path
) -> None:
    days = [dt.date(2024, 9, 1) + dt.timedelta(number) for number in range(4)]
    found = requests(3, days)
    ingest(ingestor, tmp_path / "log", lines(found))
    for customer in (None, "cust_1"):
        own = [
            each
            for each in found
            if customer in (None, each.customer) and days[1] <= each.moment.date() <= days[2]
        ]
        start = "" if customer is None else f"/customers/{customer}"
        by_route, by_status = read(
            app,
            f"{start}/routes?from={days[1]}&to={days[2]}&sort=route",
            f"{start}/statuses?from={days[1]}&to={days[2]}",
        )
        expected = grouped(own, lambda each: each.route.split("\n")[1])
        rows = [{"route": route, **near(expected[route])} for route in sorted(expected)]
        assert by_route.json() == {"rows": rows, "days_without_breakdown": 0, "next": None}
        statuses = grouped(own, lambda each: each.status)
        counts = [
            {"status": code, "total_requests": statuses[code]["total_requests"]} for code in sorted(statuses)
        ]
        assert by_status.json() == {"rows": counts, "days_without_breakdown": 0, "next": None}


def test_a_route_of_all_customers(app: FastAPI, ingestor: Ingestor, tmp_path: Path) -> None:
    found = requests(4, [dt.date(2024, 9, 1), dt.date(2024, 9, 2)])
    ingest(ingestor, tmp_path / "log", lines(found))
    routes = sorted({each.route.split("\n")[1] for each in found})
    targets = [
        f"/routes/customers?from=2024-09-01&route={quote(route)}&sort=customer_id"
        for route in (*routes, "/no")
    ]
    for route, answer in zip((*routes, "/no"), read(app, *targets), strict=True):
        own = [each for each in found if each.route.split("\n")[1] == route]
        expected = grouped(own, lambda each: each.customer)
        rows = [{"customer_id": each, **near(expected[each])} for each in sorted(expected, key=str.encode)]
        assert answer.json() == {"rows": rows, "days_without_breakdown": 0, "next": None}, route


def test_rows_that_come_in_pieces_add_up_to_the_same(
    database: DatabaseSettings, ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    days = [dt.date(2024, 9, 1) + dt.timedelta(number) for number in range(8)]
    ingest(ingestor, tmp_path / "log", lines(requests(9, days, 300)))
    targets = [
        "/routes?from=2024-09-01",
        "/statuses?from=2024-09-01",
        "/routes/customers?from=2024-09-01&route=/search",
    ]
    uncached = ApiSettings(auth="none", answer_seconds=25, cache_bytes=0)
    whole = [answer.text for answer in read(create_app(database, uncached), *targets)]
    monkeypatch.setattr(api.breakdown.sums, "_PIECE_BYTES", 5_000)
    assert [answer.text for answer in read(create_app(database, uncached), *targets)] == whole


@pytest.mark.parametrize(
    "sort",
    [
        "route",
        "-route",
        "total_requests",
        "-total_requests",
        "-duration_p99",
        "duration_mean",
        "-uptime_percentage",
    ],
)
def test_pages_have_every_row_once(app: FastAPI, ingestor: Ingestor, tmp_path: Path, sort: str) -> None:
    ingest(ingestor, tmp_path / "log", lines(requests(5, [dt.date(2024, 9, 1)], 40)))
    (whole,) = read(app, f"/routes?from=2024-09-01&sort={sort}")
    rows, after = [], ""
    while True:
        (page,) = read(app, f"/routes?from=2024-09-01&sort={sort}&limit=2&after={quote(after)}")
        rows += page.json()["rows"]
        after = page.json()["next"]
        if after is None:
            break
        assert quote(after, safe="") in page.headers["Link"].replace("+", "%20")
    assert rows == whole.json()["rows"]
    field = sort.removeprefix("-")
    values = [row[field] for row in rows if row[field] is not None]
    assert values == sorted(values, reverse=sort[0] == "-")


def test_days_without_a_breakdown_are_said(
    app: FastAPI, engine: sa.Engine, ingestor: Ingestor, tmp_path: Path
) -> None:
    insert_day(engine, "old", dt.date(2024, 9, 1))
    ingest(
        ingestor,
        tmp_path / "log",
        ["2024-09-03 12:00:00 old /a 200 1.5", "2024-09-03 12:00:00 new /a 200 1.5"],
    )
    hours, days, before, *others = read(
        app,
        "/customers/old/stats?from=2024-08-01&interval=hour",
        "/customers/old/stats?from=2024-08-01&tz=Europe/Berlin",
        "/customers/old/stats?from=2024-09-03&interval=hour",
        "/customers/old/routes?from=2024-08-01",
        "/customers/old/statuses?from=2024-08-01",
        "/routes?from=2024-08-01",
        "/statuses?from=2024-08-01",
        "/routes/customers?route=/a&from=2024-08-01",
    )
    assert [row["hour"] for row in hours.json()] == ["2024-09-03T12:00:00+00:00"]
    assert [row["date"] for row in days.json()] == ["2024-09-03"]
    assert [each.headers["Days-Without-Breakdown"] for each in (hours, days, before)] == ["1", "1", "0"]
    assert [each.json()["days_without_breakdown"] for each in others] == [1] * len(others)
    assert "Days-Without-Breakdown" not in read(app, "/customers/old/stats?from=2024-08-01")[0].headers


def test_nobody_has_nothing(app: FastAPI) -> None:
    hours, routes, statuses, of_all = read(
        app,
        "/customers/nobody/stats?from=2024-08-01&interval=hour",
        "/customers/nobody/routes?from=2024-08-01",
        "/customers/nobody/statuses?from=2024-08-01",
        "/routes?from=2024-08-01",
    )
    assert hours.json() == []
    nothing = {"rows": [], "days_without_breakdown": 0, "next": None}
    assert [routes.json(), statuses.json(), of_all.json()] == [nothing] * 3


def test_days_of_utc_are_exact_with_its_name_too(app: FastAPI, ingestor: Ingestor, tmp_path: Path) -> None:
    ingest(ingestor, tmp_path / "log", lines(requests(6, [dt.date(2024, 9, 1)])))
    plain, named = read(
        app, "/customers/cust_1/stats?from=2024-09-01", "/customers/cust_1/stats?from=2024-09-01&tz=UTC"
    )
    assert plain.content == named.content


async def refused(app: FastAPI, target: str) -> dict[str, Any]:
    answer = await ask(app, target)
    assert answer.status_code == 422, answer.text
    (problem,) = answer.json()["detail"]
    found: dict[str, Any] = problem
    return found


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("tz=Asia/Kathmandu", "that of Asia/Kathmandu on 2024-09-01 is +05:45"),
        ("tz=Africa/Monrovia&from=1970-01-01", "is -00:44:30"),
        ("tz=Mars/Olympus", "the IANA name of a time zone"),
        ("tz=Europe", "the IANA name of a time zone"),
        ("tz=../../etc/passwd", "the IANA name of a time zone"),
        ("tz=", "the IANA name of a time zone"),
    ],
)
def test_a_zone_that_half_hours_do_not_fit_is_refused_with_the_reason(
    app: FastAPI, query: str, message: str
) -> None:
    dated = query if "from=" in query else f"{query}&from=2024-09-01"
    problem = asyncio.run(refused(app, f"/customers/a/stats?{dated}"))
    assert message in problem["msg"]
    assert problem["loc"] == ["query", "tz"]


def test_as_many_days_are_divided_in_each_zone(
    app: FastAPI, ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.statistics.query, "MAX_HOURLY_DAYS", 2)
    days = [dt.date(2024, 9, day) for day in range(1, 6)]
    ingest(ingestor, tmp_path / "log", lines(requests(8, days, 400)))

    async def main() -> None:
        async with app.router.lifespan_context(app):
            for zone in ("UTC", "Europe/Berlin"):
                asked = f"/customers/cust_1/stats?interval=hour&tz={zone}&from=2024-09-02&to="
                assert (await ask(app, f"{asked}2024-09-03")).status_code == 200, zone
                assert "at most 2 days" in (await refused(app, f"{asked}2024-09-04"))["msg"]

    asyncio.run(main())


def test_too_much_is_refused_with_the_reason(
    app: FastAPI, ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(api.statistics.query, "MAX_HOURLY_DAYS", 1)
    monkeypatch.setattr(api.breakdown.sums, "MAX_BYTES", 100)
    ingest(ingestor, tmp_path / "log", lines(requests(7, [dt.date(2024, 9, 1), dt.date(2024, 9, 2)], 400)))

    async def main() -> None:
        async with app.router.lifespan_context(app):
            hours = await refused(app, "/customers/cust_1/stats?from=2024-09-01&interval=hour")
            assert "at most 1 days" in hours["msg"]
            routes = await refused(app, "/routes?from=2024-09-01")
            assert "choose fewer days" in routes["msg"]
            answer = await ask(app, "/customers/cust_1/stats?from=2024-09-01")
            assert answer.status_code == 200, "and goes on"

    asyncio.run(main())


@pytest.mark.parametrize(
    ("target", "parameter"),
    [
        ("/routes?from=2024-09-01&after=x:/a", "after"),
        ("/routes?from=2024-09-01&after=/a", "after"),
        ("/routes?from=2024-09-01&sort=date", "sort"),
        ("/routes?from=2024-09-02&to=2024-09-01", "to"),
        ("/routes", "from"),
        ("/statuses?from=2024-09-01&limit=1", "limit"),
        ("/customers/a/routes?from=2024-09-01&tz=UTC", "tz"),
        ("/routes/customers?from=2024-09-01", "route"),
        ("/routes/customers?from=2024-09-01&route=", "route"),
        ("/customers/a/stats?from=2024-09-01&interval=minute", "interval"),
    ],
)
def test_what_is_wrong_is_named(app: FastAPI, target: str, parameter: str) -> None:
    assert asyncio.run(refused(app, target))["loc"] == ["query", parameter]


def test_an_unchanged_answer_is_not_sent_again(app: FastAPI, ingestor: Ingestor, tmp_path: Path) -> None:
    ingest(ingestor, tmp_path / "log", ["2024-09-03 12:00:00 a /a 200 1.5"])
    targets = ("/customers/a/routes", "/customers/a/statuses", "/routes", "/statuses", "/customers/a/stats")

    async def main() -> None:
        async with app.router.lifespan_context(app):
            for target in targets:
                query = f"{target}?from=2024-09-01" + "&interval=hour" * target.endswith("stats")
                first = await ask(app, query)
                again = await ask(app, query, if_none_match=first.headers["ETag"])
                assert (first.status_code, again.status_code, again.content) == (200, 304, b""), target
                head = await ask(app, query, "HEAD")
                assert (head.status_code, head.content) == (200, b"")
                assert head.headers["Content-Length"] == str(len(first.content))

    asyncio.run(main())


def test_a_log_of_nginx_with_an_offset_and_methods_is_divided(
    app: FastAPI, ingestor: Ingestor, tmp_path: Path
) -> None:
    found = [
        each._replace(route=f"{method} {each.route}".replace("\n", f"\n{method} "))
        for each, method in zip(
            requests(8, [dt.date(2024, 9, 3)]), itertools.cycle(("GET", "POST")), strict=False
        )
        if each.customer != "=SUM(A1)" and each.duration is not None
    ]
    found = [
        each._replace(
            duration=round(each.duration, 3),
            route=each.route.replace("POST (not found)", "(not found)").replace(
                "GET (not found)", "(not found)"
            ),
        )
        for each in found
        if each.duration is not None
    ]
    zone = dt.timezone(dt.timedelta(hours=2))
    log = (
        f"192.0.2.1 - {each.customer} [{each.moment.astimezone(zone):%d/%b/%Y:%H:%M:%S %z}] "
        f'"{each.route.split(chr(10))[0]}?a=1 HTTP/1.1" {each.status} 17 "-" "-" {each.duration} {each.duration}'
        for each in found
    )
    nginx = replace(ingestor, formats=(FormatRule(format="nginx"),))
    assert ingest(nginx, tmp_path / "log", log).rejected == 0
    own = [each for each in found if each.customer == "cust_1"]
    hours, routes = read(
        app,
        "/customers/cust_1/stats?from=2024-09-01&interval=hour&tz=Asia/Kolkata",
        "/customers/cust_1/routes?from=2024-09-01&sort=route",
    )
    check_hours(hours.json(), "cust_1", own, ZoneInfo("Asia/Kolkata"))
    expected = grouped(own, lambda each: each.route.split("\n")[1])
    assert sum(route.startswith("POST /") for route in expected) > 2
    assert routes.json()["rows"] == [{"route": route, **near(expected[route])} for route in sorted(expected)]
