"""One revision of all data: an answer about all customers is never given again once a commit has changed it."""

import asyncio
import datetime as dt

import httpx
import psycopg
import sqlalchemy as sa

from logstats.settings import DatabaseSettings
from tests.days import insert_day
from tests.integration.api.test_fleet import client

DAY = dt.date(2024, 9, 3)
COMMIT = """
WITH changed AS (
    UPDATE daily_statistics SET server_errors = server_errors + 1 WHERE customer_id = %(customer)s
)
UPDATE customers SET revision = nextval('revisions') WHERE customer_id = %(customer)s
"""
"""As the processor's commits: the statistics and the customer's revision change together."""
TARGETS = (
    f"/customers?from={DAY}",
    f"/customers?from={DAY}&format=csv",
    "/overview",
    "/overview?percentiles=false",
)


async def tags(http: httpx.AsyncClient) -> list[str]:
    """The entity tags of all answers, each of which is still right at once."""
    found = []
    for target in TARGETS:
        answer = await http.get(target)
        assert answer.headers["cache-control"] == "private, no-cache"
        found.append(answer.headers["etag"])
        again = await http.get(target, headers={"if-none-match": found[-1]})
        assert (again.status_code, again.content, again.headers["etag"]) == (304, b"", found[-1])
    return found


async def failures(http: httpx.AsyncClient) -> dict[str, int]:
    """The 5xx of each customer, by an answer that may come from the cache."""
    rows = (await http.get(f"/customers?from={DAY}")).json()["customers"]
    return {row["customer_id"]: row["server_errors"] for row in rows}


def test_commits_that_become_visible_in_the_other_order_each_change_the_tag(
    database: DatabaseSettings, engine: sa.Engine
) -> None:
    """The first takes the smaller revision, and is seen last: the largest revision does not change with it."""
    for customer in ("a", "b", "c"):
        insert_day(engine, customer, DAY, [1_000])

    async def main() -> None:
        async with client(database) as http:
            seen = [await tags(http)]
            with psycopg.connect(database.url) as first, psycopg.connect(database.url) as second:
                first.execute(COMMIT, {"customer": "a"})
                second.execute(COMMIT, {"customer": "b"})
                assert await tags(http) == seen[0], "neither is committed"
                second.commit()
                seen.append(await tags(http))
                assert await failures(http) == {"a": 0, "b": 1, "c": 0}
                first.commit()
                seen.append(await tags(http))
                assert await failures(http) == {"a": 1, "b": 1, "c": 0}
            for of_target in zip(*seen, strict=True):
                assert len(set(of_target)) == len(seen)

    asyncio.run(main())


def test_a_customer_that_goes_and_comes_back_as_it_was_is_another_revision(
    database: DatabaseSettings, engine: sa.Engine
) -> None:
    for customer in ("a", "b"):
        insert_day(engine, customer, DAY, [1_000])

    async def main() -> None:
        async with client(database) as http:
            seen = [await tags(http)]
            with engine.begin() as connection:
                for table in ("daily_statistics", "customers"):
                    connection.execute(sa.text(f"DELETE FROM {table} WHERE customer_id = 'b'"))
            seen.append(await tags(http))
            insert_day(engine, "b", DAY, [1_000])
            seen.append(await tags(http))
            for of_target in zip(*seen, strict=True):
                assert len(set(of_target)) == len(seen)

    asyncio.run(main())


def test_the_overview_changes_with_the_ledger_alone(database: DatabaseSettings, engine: sa.Engine) -> None:
    """A file without a line that can be read changes no customer, and must be seen."""
    insert_day(engine, "a", DAY, [1_000])

    async def main() -> None:
        async with client(database) as http:
            before = await tags(http)
            with engine.begin() as connection:
                connection.execute(
                    sa.text(
                        "INSERT INTO log_objects (bucket, key, confirmed_current, lines, accepted, rejected, customer_days,"
                        " rejected_by_reason, outcome, committed_at)"
                        " VALUES ('b', 'k', false, 1, 0, 1, 0, '{}', 'unrecognised', now())"
                    )
                )
            after = await tags(http)
            assert [one == other for one, other in zip(before, after, strict=True)] == [
                True,
                True,
                False,
                False,
            ]
            ledger = (await http.get("/overview")).json()["ledger"]
            assert (ledger["objects"], ledger["rejected"], ledger["unrecognised"]) == (1, 1, 1)

    asyncio.run(main())
