"""Many attempts merged at once, page by page."""

from itertools import chain
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats.domain.batch import SummaryBatch
from processor.dataflow import sink
from processor.ledger import change, customers, merge, stripes, subtraction
from tests import oracle, tables
from tests.logs import as_bytes, random_lines
from tests.reference import keeping_all

HELD = f"SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND classid = {stripes._CLASS} AND granted"
LINES = [random_lines(seed, 150, customers=20, days=3) for seed in range(6)]


def stage(connection: sa.Connection, attempt: int, lines: list[str], part: int = 0) -> set[tuple[str, int]]:
    """Stage contributions as the dataflow does; return their customers and days."""
    aggregator = keeping_all(0)
    aggregator.feed(as_bytes(lines))
    batches = [(day, SummaryBatch(encoded)) for _, day, encoded in aggregator.drain_batches(1)]
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(sink._COPY) as copy:
        copy.write(sink._COPY_HEADER)
        for _, batch in batches:
            copy.write(batch.copy_rows(attempt, part))
        copy.write(sink._COPY_TRAILER)
    return {(customer, day) for day, batch in batches for customer, _ in batch}


@pytest.mark.parametrize("page_bytes", [1, 3_000, 16 << 20])
def test_attempts_merged_at_once_count_as_one_after_the_other(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, page_bytes: int
) -> None:
    """The first two come to days without statistics; each is in two parts."""
    monkeypatch.setattr(merge, "_PAGE_BYTES", page_bytes)
    for attempts in ([1, 2], [3], [4, 5, 6]):
        with Session(engine) as session, session.begin():
            expected = {}
            for attempt in attempts:
                lines = LINES[attempt - 1]
                days = [stage(session.connection(), attempt, lines[part::2], part) for part in range(2)]
                expected[attempt] = len(days[0] | days[1])
            assert merge.merge(session, change.lock(session, attempts, [])) == expected
    lines = list(chain.from_iterable(LINES))
    assert tables.statistics(engine) == oracle.statistics(lines)
    assert sum(total for *_, total in tables.customers(engine).values()) == len(lines)


@pytest.mark.parametrize("many", [0, 1_000_000])
def test_who_touches_many_customers_locks_every_stripe_others_only_theirs(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(change, "_MANY", many)
    with Session(engine) as session, session.begin(), engine.connect() as other:
        stage(session.connection(), 1, LINES[0])
        change.lock(session, [1], [])
        held = other.scalars(sa.text(HELD)).all()
    assert (len(held) == stripes.STRIPES) is (many == 0)
    assert held


def test_what_is_only_added_never_becomes_an_object_of_python(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subtraction, "apply", None)
    for attempts in ([1], [2, 3]):
        with Session(engine) as session, session.begin():
            for attempt in attempts:
                stage(session.connection(), attempt, LINES[attempt])
            merge.merge(session, change.lock(session, attempts, []))
    assert tables.statistics(engine) == oracle.statistics([*LINES[1], *LINES[2], *LINES[3]])


def test_no_attempts_are_no_change(engine: sa.Engine) -> None:
    with Session(engine) as session, session.begin():
        assert merge.merge(session, change.lock(session, [], [])) == {}
        assert merge.merge(session, change.lock(session, [7], [])) == {7: 0}
    assert tables.statistics(engine) == {}


def test_a_customer_is_touched_once_however_many_attempts_there_are(engine: sa.Engine) -> None:
    with Session(engine) as session, session.begin():
        for attempt in (1, 2):
            stage(session.connection(), attempt, LINES[0])
        merge.merge(session, change.lock(session, [1, 2], []))
        customers.refresh(session, change.lock(session, [], []))
    revisions = tables.revisions(engine)
    assert len(set(revisions.values())) == 1
    assert sum(total for *_, total in tables.customers(engine).values()) == 2 * len(LINES[0])


def test_a_merge_reads_each_row_a_few_times(engine: sa.Engine) -> None:
    """Also where PostgreSQL knows nothing of the tables yet, and guesses: a join of all with all would take minutes."""
    lines = random_lines(1, 6_000, customers=600, days=3)
    read = sa.text(
        "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0))::bigint FROM pg_stat_xact_user_tables"
        " WHERE relname LIKE 'daily_statistics%' OR relname LIKE 'contributions%'"
    )
    for attempt in (1, 2):
        with Session(engine) as session, session.begin():
            days = stage(session.connection(), attempt, lines)
            merge.merge(session, change.lock(session, [attempt], []))
            assert len(days) > 1_000
            assert session.scalar(read) < 25 * len(days)
