"""All customers over a range of days, against brute force."""

import asyncio
import csv
import datetime as dt
import io
import random
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa
from mangum import Mangum

import api.fleet.histograms
import api.fleet.overview
import api.fleet.ranks
import api.routes.customers
from api.app import create_app
from api.settings import ApiSettings
from logstats.domain.histogram import percentiles_of_groups
from logstats.settings import DatabaseSettings
from processor.ingest import Ingestor
from processor.reading.objects import LocalFile
from tests import fleet
from tests.days import insert_day
from tests.events import api_event

LEDGER = ("objects", "lines", "accepted", "rejected", "skipped", "expired", "unrecognised")

RANGES = [
    (0, 7),  # everything, and nothing before
    (4, 7),
    (3, 4),
    (7, 7),  # one day
    (5, 5),
    (0, 0),  # one day, and nothing before
    (-200, 165),  # a year
    (9, 12),  # nothing
]


def day(number: int) -> dt.date:
    return fleet.FIRST + dt.timedelta(number)


@asynccontextmanager
async def client(database: DatabaseSettings, answer_seconds: float = 25) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(database, ApiSettings(auth="none", answer_seconds=answer_seconds))
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as made,
    ):
        yield made


async def get(http: httpx.AsyncClient, target: str) -> dict[str, Any]:
    answer = await http.get(target)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def pages(http: httpx.AsyncClient, target: str) -> list[dict[str, Any]]:
    """All rows, by as many pages as it takes."""
    found, after = [], ""
    while True:
        page = await get(http, f"{target}&after={quote(after)}" if after else target)
        found += page["customers"]
        if page["next"] is None:
            return found
        after = page["next"]


@pytest.mark.parametrize(("seed", "ranges", "limit"), [(1, RANGES[::2], 1_000), (2, [(4, 7), (7, 7)], 5)])
def test_every_order_of_every_range_is_that_of_brute_force(
    database: DatabaseSettings, engine: sa.Engine, seed: int, ranges: list[tuple[int, int]], limit: int
) -> None:
    requests = fleet.random_requests(seed)
    fleet.insert(engine, requests)

    async def main() -> None:
        async with client(database) as http:
            for first, last in ((day(first), day(last)) for first, last in ranges):
                rows = fleet.ranking(requests, first, last)
                for sort in (f"{sign}{field}" for field in fleet.FIELDS for sign in ("", "-")):
                    target = f"/customers?from={first}&to={last}&sort={sort}&limit={limit}"
                    assert await pages(http, target) == fleet.ordered(rows, sort), target

    asyncio.run(main())


@pytest.mark.parametrize("seed", [1, 2])
def test_the_overview_of_every_range_is_that_of_brute_force(
    database: DatabaseSettings, engine: sa.Engine, seed: int
) -> None:
    requests = fleet.random_requests(seed)
    fleet.insert(engine, requests)
    counts_alone = {"change_p99", *(f"duration_p{percent}" for percent in (50, 90, 95, 99))}

    def without(fields: dict[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in fields.items() if name not in counts_alone}

    async def main() -> None:
        async with client(database) as http:
            for first, last in ((day(first), day(last)) for first, last in RANGES):
                expected = fleet.overview(requests, first, last)
                found = await get(http, f"/overview?from={first}&to={last}")
                del found["ledger"]
                assert found == expected, (first, last)
                counts = await get(http, f"/overview?from={first}&to={last}&percentiles=false")
                del counts["ledger"]
                assert counts == without(expected) | {
                    "days": [without(each) for each in expected["days"]],
                    "total": without(expected["total"]),
                    "before": expected["before"] and without(expected["before"]),
                }
            newest = max(date for _, date in requests)
            assert await get(http, "/overview") == await get(http, f"/overview?from={newest}")

    asyncio.run(main())


def test_a_range_without_an_end_is_compared_up_to_the_last_day_with_data(
    database: DatabaseSettings, engine: sa.Engine
) -> None:
    requests = fleet.random_requests(4)
    fleet.insert(engine, requests)
    newest = max(date for _, date in requests)

    async def main() -> None:
        async with client(database) as http:
            for path in ("/customers", "/overview"):
                open_ended = await get(http, f"{path}?from={day(5)}")
                assert open_ended == await get(http, f"{path}?from={day(5)}&to={newest}")
            assert await get(http, f"/customers?from={day(9)}") == {"customers": [], "next": None}

    asyncio.run(main())


def test_without_any_data_there_is_nothing_to_see(database: DatabaseSettings) -> None:
    async def main() -> None:
        async with client(database) as http:
            empty = await get(http, "/overview")
            assert (empty["from"], empty["to"], empty["days"], empty["before"]) == (None, None, [], None)
            assert empty["total"]["total_requests"] == empty["total"]["active_customers"] == 0
            assert empty["total"]["uptime_percentage"] is empty["total"]["duration_p99"] is None
            assert empty["ledger"] == dict.fromkeys(LEDGER, 0)
            assert await get(http, f"/customers?from={day(0)}") == {"customers": [], "next": None}
            assert (await http.get(f"/customers?from={day(0)}&format=csv")).text.count("\r\n") == 1

    asyncio.run(main())


def test_a_prefix_limits_the_customers_whatever_orders_them(
    database: DatabaseSettings, engine: sa.Engine
) -> None:
    requests = fleet.random_requests(5)
    fleet.insert(engine, requests)
    first, last = day(2), day(6)
    rows = [row for row in fleet.ranking(requests, first, last) if row["customer_id"].startswith("cust_1")]

    async def main() -> None:
        async with client(database) as http:
            for sort in ("-total_requests", "duration_p99", "-change_requests", "-change_p99"):
                target = f"/customers?from={first}&to={last}&prefix=cust_1&sort={sort}&limit=1"
                assert await pages(http, target) == fleet.ordered(rows, sort)

    asyncio.run(main())


def test_each_row_may_have_the_requests_of_each_day(database: DatabaseSettings, engine: sa.Engine) -> None:
    requests = fleet.random_requests(6)
    fleet.insert(engine, requests)

    async def main() -> None:
        async with client(database) as http:
            found = await get(http, f"/customers?from={day(4)}&to={day(6)}&days=6")
            for row in found["customers"]:
                expected = [len(requests.get((row["customer_id"], day(each)), ())) for each in range(1, 7)]
                assert row["daily_requests"] == expected
            refused = await http.get(f"/customers?from={day(0)}&to={day(6)}&days=93")
            assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["query", "days"])

    asyncio.run(main())


def test_csv_has_all_customers_with_the_same_values_or_a_page_with_a_link_to_the_next(
    database: DatabaseSettings, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ids are as they are: one that a spreadsheet takes for a formula, markup, a comma, a separator of lines."""
    monkeypatch.setattr(api.fleet.ranks, "BATCH", 5)
    requests = fleet.random_requests(7)
    fleet.insert(engine, requests)
    target = f"/customers?from={day(3)}&to={day(5)}"

    def read(text: str) -> list[dict[str, str | None]]:
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        return [{name: None if cell == "" else cell for name, cell in row.items()} for row in rows]

    async def main() -> None:
        async with client(database) as http:
            for sort in ("-server_errors", "duration_p99"):
                rows = fleet.ordered(fleet.ranking(requests, day(3), day(5)), sort)
                expected = [
                    {name: None if value is None else str(value) for name, value in row.items()}
                    for row in rows
                ]
                whole = await http.get(f"{target}&sort={sort}&format=csv")
                assert read(whole.text) == expected
                assert whole.headers["content-type"] == "text/csv; charset=utf-8; header=present"
                assert "link" not in whole.headers
                known = {"if-none-match": whole.headers["etag"], "accept": "text/csv"}
                assert (await http.get(f"{target}&sort={sort}", headers=known)).status_code == 304
                paged: list[dict[str, str | None]] = []
                following: str | None = f"{target}&sort={sort}&format=csv&limit=4"
                while following:
                    page = await http.get(following)
                    paged += read(page.text)
                    following = f"/customers{page.links['next']['url']}" if "next" in page.links else None
                assert paged == expected

    asyncio.run(main())


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("to=2024-09-01", "to"),
        ("sort=customer_id", "sort"),
        ("days=7", "days"),
        ("format=csv", "format"),
        ("from=2024-09-02&to=2024-09-01", "to"),
        ("from=2024-09-01&sort=date", "sort"),
        ("from=2024-09-01&sort=--total_requests", "sort"),
        ("from=2024-09-01&sort=", "sort"),
        ("from=2024-09-01&limit=0", "limit"),
        ("from=2024-09-01&limit=1001", "limit"),
        ("from=2024-09-01&after=cust_1", "after"),
        ("from=2024-09-01&after=1.5:cust_1", "after"),
        ("from=2024-09-01&after=1e400:a&sort=duration_mean", "after"),
        ("from=2024-09-01&after=9999999999999999999:a", "after"),
        ("from=2024-09-01&after=-:a", "after"),
        ("from=2024-09-01&interval=day", "interval"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_name(
    database: DatabaseSettings, query: str, name: str
) -> None:
    async def main() -> None:
        async with client(database) as http:
            refused = await http.get(f"/customers?{query}")
            assert (refused.status_code, refused.json()["detail"][0]["loc"]) == (422, ["query", name])

    asyncio.run(main())


def test_more_histograms_than_an_answer_may_merge_are_refused_with_what_still_works(
    database: DatabaseSettings, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    requests = fleet.random_requests(8)
    fleet.insert(engine, requests)
    days = f"from={day(0)}&to={day(7)}"

    async def main(refused: str, allowed: str, message: str) -> None:
        async with client(database) as http:
            answer = await http.get(refused)
            assert answer.status_code == 422
            assert message in answer.json()["detail"][0]["msg"]
            assert (await http.get(allowed)).status_code == 200

    with monkeypatch.context() as patch:
        patch.setattr(api.fleet.ranks, "MAX_HISTOGRAMS", 5)
        for sort in ("duration_p50", "-change_p99"):
            asyncio.run(
                main(
                    f"/customers?{days}&sort={sort}",
                    f"/customers?{days}",
                    "or sort by one of customer_id, total_requests",
                )
            )
            asyncio.run(
                main(
                    f"/customers?{days}&sort={sort}&format=csv",
                    f"/customers?from={day(7)}&to={day(7)}&sort={sort}",
                    "more than 5",
                )
            )
        patch.setattr(api.fleet.overview, "MAX_HISTOGRAMS", 5)
        asyncio.run(main(f"/overview?{days}", f"/overview?{days}&percentiles=false", "or percentiles=false"))
    monkeypatch.setattr(api.fleet.histograms, "MAX_BYTES", 100)
    asyncio.run(main(f"/customers?{days}", f"/customers?from={day(9)}", "MiB"))


def test_a_merge_that_takes_too_long_is_ended_in_time_and_the_next_request_is_answered(
    database: DatabaseSettings, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also when the rows have all arrived: asyncpg waits for the end of a COPY that it has already seen."""
    fleet.insert(engine, fleet.random_requests(10, days=2))
    waiting = asyncio.Event()

    async def never(*_: object) -> None:
        await waiting.wait()

    async def main() -> None:
        async with client(database, answer_seconds=0.5) as http:
            with monkeypatch.context() as patch:
                patch.setattr(api.fleet.histograms, "_PIECE_BYTES", 1)
                patch.setattr(asyncio, "to_thread", never)
                assert (await http.get("/overview")).status_code == 503
            while (await http.get("/overview")).status_code != 200:
                pass  # a busy machine needs more than half a second

    asyncio.run(main())


def test_others_are_answered_while_histograms_are_merged(
    database: DatabaseSettings, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The merge is in a thread: here it ends only when the other request has been answered."""
    fleet.insert(engine, fleet.random_requests(12, days=2))
    answered, merge = threading.Event(), percentiles_of_groups

    def slow(rows: bytearray, groups: int) -> list[tuple[int, ...]]:
        assert answered.wait(60)
        return merge(rows, groups)

    monkeypatch.setattr(api.fleet.histograms, "percentiles_of_groups", slow)

    async def main() -> None:
        async with client(database) as http:
            ranking = asyncio.create_task(http.get(f"/customers?from={day(0)}&sort=-duration_p99"))
            await asyncio.sleep(0.1)
            assert (await http.get("/health")).status_code == 200
            answered.set()
            assert (await ranking).status_code == 200

    asyncio.run(main())


def test_behind_a_gateway_csv_comes_in_pages(
    database_variables: DatabaseSettings, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A Lambda function's answer has at most 6 MB."""
    monkeypatch.setattr(api.routes.customers, "GATEWAY_LIMIT", 2)
    fleet.insert(engine, {(customer, day(0)): [(500, None)] for customer in ("a", "b", "c")})
    app = create_app(database_variables, ApiSettings(auth="none"))
    asyncio.set_event_loop(loop := asyncio.new_event_loop())
    try:
        event = api_event("/customers", f"from={day(0)}&format=csv")
        answer = Mangum(app, lifespan="off")(event, None)  # type: ignore[arg-type]  # no context is needed
        loop.run_until_complete(app.state.reader.close())
    finally:
        asyncio.set_event_loop(None)
        loop.close()
    assert [line.partition(",")[0] for line in answer["body"].splitlines()] == ["customer_id", "a", "b"]
    assert answer["headers"]["link"] == f'<?from={day(0)}&format=csv&after=1%3Ab>; rel="next"'


@pytest.mark.parametrize(
    "query", ["to=2024-09-01", "from=2024-09-02&to=2024-09-01", "from=2024-09-01&sort=customer_id"]
)
def test_an_overview_that_makes_no_sense_is_refused(database: DatabaseSettings, query: str) -> None:
    async def main() -> None:
        async with client(database) as http:
            assert (await http.get(f"/overview?{query}")).status_code == 422

    asyncio.run(main())


def test_an_overview_merges_histograms_piece_by_piece(
    database: DatabaseSettings, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Pieces that end anywhere in a row."""
    monkeypatch.setattr(api.fleet.histograms, "_PIECE_BYTES", 1)
    requests = fleet.random_requests(9)
    fleet.insert(engine, requests)

    async def main() -> None:
        async with client(database) as http:
            found = await get(http, f"/overview?from={day(4)}&to={day(7)}")
            assert found["total"] == fleet.overview(requests, day(4), day(7))["total"]

    asyncio.run(main())


def test_the_ledger_of_a_range_is_what_was_committed_in_it(
    database: DatabaseSettings, ingestor: Ingestor, tmp_path: Path
) -> None:
    """Ignore the days that the lines are of: a file is in the overview of the day on which it was read."""
    log = tmp_path / "a.log"
    log.write_text("2024-09-03 12:00:00 cust_1 /a 200 0.1\nnonsense\n")
    ingestor.ingest_file(LocalFile.at(log))
    today = dt.datetime.now(dt.UTC).date()
    read = dict.fromkeys(LEDGER, 0) | {"objects": 1, "lines": 2, "accepted": 1, "rejected": 1}

    async def main() -> None:
        async with client(database) as http:
            for query, expected in (
                ("", read),
                ("?from=2024-09-03", read),
                ("?from=2024-09-03&to=2024-09-03", dict.fromkeys(LEDGER, 0)),
                (f"?from={today - dt.timedelta(1)}&to={today + dt.timedelta(1)}", read),
            ):
                assert (await get(http, f"/overview{query}"))["ledger"] == expected, query

    asyncio.run(main())


@pytest.mark.parametrize("sort", ["-total_requests", "uptime_percentage", "-duration_p99", "change_requests"])
def test_pages_neither_repeat_nor_miss_a_customer_that_did_not_change_while_others_do(
    database: DatabaseSettings, engine: sa.Engine, sort: str
) -> None:
    requests = fleet.random_requests(11)
    fleet.insert(engine, requests)
    rng = random.Random(sort)
    moving = {"a", "b", "cust_2"}
    customers = {customer for customer, date in requests if date >= day(4)}

    def ingest() -> None:
        """Change the customers that move, by much or little, and add one."""
        with engine.begin() as connection:
            for customer in moving:
                connection.execute(
                    sa.text(
                        "UPDATE daily_statistics SET total_requests = total_requests + :more, server_errors = :errors,"
                        " untimed_requests = untimed_requests + :more WHERE customer_id = :customer"
                    ),
                    {"customer": customer, "more": rng.randrange(9), "errors": rng.randrange(2)},
                )
        insert_day(engine, f"new_{rng.randrange(10**9)}", day(5), [rng.randrange(9_000_000)])

    async def main() -> None:
        async with client(database) as http:
            for _ in range(2):
                seen: list[str] = []
                after = ""
                while after is not None:
                    target = f"/customers?from={day(4)}&to={day(7)}&sort={sort}&limit=2&after={quote(after)}"
                    page = await get(http, target)
                    seen += [row["customer_id"] for row in page["customers"]]
                    after = page["next"]
                    ingest()
                for customer in customers - moving:
                    assert seen.count(customer) == 1, customer

    asyncio.run(main())
