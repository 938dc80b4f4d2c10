"""CachedStatistics answers against a real PostgreSQL: whoever has seen a commit finish finds it in the next answer."""

import asyncio
import datetime as dt
import json
from collections.abc import Awaitable, Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from api import cache
from api.cache import CachedStatistics
from api.periods import Interval
from api.reader import Reader
from api.settings import ApiSettings
from api.statements import REVISIONS, Statement
from api.statistics import Statistics, StatisticsQuery
from logstats.models import Customer
from logstats.settings import DatabaseSettings
from processor.ingest import Ingestor
from processor.ledger.delivery import Withdrawal
from processor.ledger.withdrawal import withdraw
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore
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


def run(settings: DatabaseSettings, test: Callable[[CachedStatistics], Awaitable[None]]) -> None:
    async def main() -> None:
        api = ApiSettings(pool_size=4)
        reader = Reader(settings, api)
        try:
            await test(CachedStatistics(Statistics(reader), reader, api.cache_bytes))
        finally:
            await reader.close()

    asyncio.run(main())


async def field(
    cached: CachedStatistics, customer: str, name: str = "duration_max", interval: Interval = Interval.DAY
) -> float:
    """Return a field of the customer's day; 0 without one."""
    days = json.loads((await cached.answer(StatisticsQuery(customer, DAY, DAY, interval))).body)
    return float(days[0][name]) if days else 0


async def longest_us(cached: CachedStatistics, customer: str, interval: Interval = Interval.DAY) -> int:
    return round(await field(cached, customer, "duration_max", interval) * 1e6)


@pytest.mark.parametrize("interval", [Interval.DAY, Interval.MONTH])
def test_a_commit_between_two_requests_is_seen(
    database: DatabaseSettings, engine: sa.Engine, interval: Interval
) -> None:
    async def test(cached: CachedStatistics) -> None:
        for _ in range(20):
            with psycopg.connect(database.url) as connection:
                [committed] = connection.execute(COMMIT, {"customer": "cust_0"}).fetchone() or [None]
            for _ in range(3):
                assert await longest_us(cached, "cust_0", interval) == committed

    insert_day(engine, "cust_0", DAY)
    run(database, test)


def test_what_the_processor_does_is_seen(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path
) -> None:
    """Added, replaced, withdrawn to nothing, and back again."""
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    ingestor = Ingestor(engine, LocalRejectStore(tmp_path / "rejected"), workers=1)

    def ingest(log: Path, lines: int) -> None:
        log.write_text("2024-09-03 12:00:00 cust_0 /a 200 0.5\n" * lines)
        ingestor.ingest_file(LocalFile.at(log))

    def forget(log: Path) -> None:
        withdraw(engine, Withdrawal("file", str(log)), ingestor.rejects)

    async def test(cached: CachedStatistics) -> None:
        tags = []

        async def now(total: int) -> None:
            for _ in range(2):
                assert await field(cached, "cust_0", "total_requests") == total
            tags.append((await cached.answer(StatisticsQuery("cust_0", DAY, DAY))).etag)

        for step, total in (
            (lambda: None, 0),
            (lambda: ingest(first, 2), 2),
            (lambda: ingest(second, 3), 5),
            (lambda: ingest(first, 1), 4),
            (lambda: forget(first), 3),
            (lambda: forget(second), 0),
            (lambda: ingest(first, 4), 4),
        ):
            await asyncio.to_thread(step)
            await now(total)
        assert len(set(tags)) == len(tags) - 1  # only "nothing" is twice the same

    run(database, test)


@pytest.mark.parametrize(("revisions", "commits"), [(REVISIONS, 600), (SLOW_REVISIONS, 200)])
def test_no_reader_of_many_misses_a_commit_that_it_could_know_of(
    database: DatabaseSettings,
    engine: sa.Engine,
    monkeypatch: pytest.MonkeyPatch,
    revisions: Statement,
    commits: int,
) -> None:
    """Readers note what is committed before they ask; a writer commits as fast as it can."""
    monkeypatch.setattr(cache, "REVISIONS", revisions)
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

    async def test(cached: CachedStatistics) -> None:
        over = asyncio.Event()
        async with asyncio.TaskGroup() as tasks:
            for number in range(25):
                tasks.create_task(read(cached, number, over))
            tasks.create_task(write(over))
        expected = 1 + commits // len(CUSTOMERS)
        assert [await longest_us(cached, customer) for customer in CUSTOMERS] == [expected] * 4

    run(database, test)
    assert all(changed.values())
