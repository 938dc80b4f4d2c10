"""CachedStatistics answers against a real PostgreSQL: whoever has seen a commit finish finds it in the next answer."""

import asyncio
import datetime as dt
import json

import psycopg
import pytest
import sqlalchemy as sa

from api.answers import revisions as revisions_of
from api.answers.cache import LRUCache
from api.answers.revisions import REVISIONS
from api.database.reader import Reader, Statement
from api.settings import ApiSettings
from api.statistics.query import CachedStatistics, StatisticsQuery
from logstats.models import Customer
from logstats.settings import DatabaseSettings
from tests.days import insert_day

DAY = dt.date(2024, 9, 3)
CUSTOMERS = [f"cust_{number}" for number in range(4)]

COMMIT = """
WITH written AS (
    UPDATE daily_statistics SET duration_max_us = duration_max_us + 1 WHERE customer_id = %(customer)s
    RETURNING duration_max_us
)
UPDATE customers SET revision = nextval('revisions') WHERE customer_id = %(customer)s
RETURNING (SELECT duration_max_us FROM written)
"""
"""As the processor's commits: the statistics and the customer's revision change together."""

_pause = sa.select(sa.func.pg_sleep(0.01)).cte().prefix_with("MATERIALIZED")
SLOW_REVISIONS = REVISIONS.join_from(Customer, _pause, sa.true())
"""Shows what there was when it began."""


async def longest_us(cached: CachedStatistics, customer: str) -> int:
    (day,) = json.loads((await cached.answer(StatisticsQuery(customer, DAY, DAY))).body)
    return round(float(day["duration_max"]) * 1e6)


@pytest.mark.parametrize(("revisions", "commits"), [(REVISIONS, 600), (SLOW_REVISIONS, 200)])
def test_no_reader_of_many_misses_a_commit_that_it_could_know_of(
    database: DatabaseSettings,
    engine: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
    revisions: Statement,
    commits: int,
) -> None:
    """Readers note what is committed before they ask; a writer commits as fast as it can."""
    monkeypatch.setattr(revisions_of, "REVISIONS", revisions)
    for customer in CUSTOMERS:
        insert_day(engine, customer, DAY, [1])
    committed = dict.fromkeys(CUSTOMERS, 1)
    changed = dict.fromkeys(CUSTOMERS, 0)

    async def read(cached: CachedStatistics, number: int, over: asyncio.Event) -> None:
        while not over.is_set():
            customer = CUSTOMERS[number % len(CUSTOMERS)]
            await asyncio.sleep(0.001 * (number % 7))  # or all would always arrive together
            known = committed[customer]
            found = await longest_us(cached, customer)
            assert found >= known, customer
            changed[customer] += found > 1
            number += 1

    async def write(over: asyncio.Event) -> None:
        async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as connection:
            for number in range(commits):
                customer = CUSTOMERS[number % len(CUSTOMERS)]
                result = await connection.execute(COMMIT, {"customer": customer})
                [longest] = await result.fetchone() or [None]
                assert longest is not None
                committed[customer] = longest
                await asyncio.sleep(0.001 * (number % 3))
        over.set()

    async def main() -> None:
        reader = Reader(database, ApiSettings(pool_size=4))
        cached = CachedStatistics(reader, LRUCache(1_000_000))
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for number in range(25):
                tasks.create_task(read(cached, number, over))
            tasks.create_task(write(over))
        expected = 1 + commits // len(CUSTOMERS)
        assert [await longest_us(cached, customer) for customer in CUSTOMERS] == [expected] * 4
        await reader.close()

    asyncio.run(main())
    assert all(changed.values())
