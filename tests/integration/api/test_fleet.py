"""All customers over a range of days, against brute force."""

import asyncio
import datetime as dt
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import quote

import httpx
import pytest
import sqlalchemy as sa

from api.app import create_app
from api.settings import ApiSettings
from logstats.settings import DatabaseSettings
from tests import fleet

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
async def client(database: DatabaseSettings) -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(database, ApiSettings(auth="none", answer_seconds=25))
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


@pytest.mark.parametrize("seed", [1, 2])
def test_every_order_of_every_range_is_that_of_brute_force(
    database: DatabaseSettings, engine: sa.Engine, seed: int
) -> None:
    requests = fleet.random_requests(seed)
    fleet.insert(engine, requests)

    async def main() -> None:
        async with client(database) as http:
            for first, last in ((day(first), day(last)) for first, last in RANGES):
                rows = fleet.ranking(requests, first, last)
                for sort in (f"{sign}{field}" for field in fleet.FIELDS for sign in ("", "-")):
                    target = f"/customers?from={first}&to={last}&sort={sort}&limit={7 if seed == 1 else 1000}"
                    assert await pages(http, target) == fleet.ordered(rows, sort), target

    asyncio.run(main())


@pytest.mark.parametrize("seed", [1, 2, 3])
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
