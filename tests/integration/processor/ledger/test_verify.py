"""The comparison of statistics and contributions: it finds what was broken on purpose, and mends it."""

import datetime as dt
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats import rows
from processor.ingest import Ingestor
from processor.ledger import stripes, verify
from processor.ledger.delivery import Withdrawal
from processor.ledger.mend import mend
from processor.ledger.merge import IntegrityError
from processor.ledger.verify import Difference, Verdict, Verification, check
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore
from processor.retention import expiry
from tests import oracle, tables
from tests.integration.processor.retention.test_expiry import wait_until, waiting
from tests.logs import as_bytes, random_lines
from tests.reference import bucket, encode, encode_without_pages

FIRST, SECOND, THIRD = (random_lines(seed, 400, customers=3) for seed in (1, 2, 3))
DAY = dt.date(2024, 9, 4)
OTHER_VERSION = b"\x09\x01\x01"


@pytest.fixture
def ingestor(engine: sa.Engine, tmp_path: Path) -> Ingestor:
    """Three logs, of which one has been withdrawn and one replaced."""
    ingestor = Ingestor(engine, LocalRejectStore(tmp_path / "rejected"), workers=1)
    for name, lines in (("a", FIRST), ("b", FIRST), ("c", SECOND), ("b", THIRD)):
        path = tmp_path / f"{name}.log"
        path.write_bytes(as_bytes(lines))
        ingestor.ingest_file(LocalFile.at(path))
    ingestor.withdraw(Withdrawal("file", str(tmp_path / "c.log")))
    return ingestor


def execute(engine: sa.Engine, statement: str, **values: object) -> None:
    with engine.begin() as connection:
        assert connection.execute(sa.text(statement), values).rowcount


def differences(engine: sa.Engine) -> list[Difference]:
    return list(Verification(engine).differences())


def fail(difference: Difference) -> None:
    raise AssertionError(difference)


def test_what_ingests_have_made_agrees(ingestor: Ingestor) -> None:
    days = len(oracle.statistics([*FIRST, *THIRD]))
    assert check(ingestor.engine, fail) == Verdict(customers=3, customer_days=days, differences=0)


def test_an_empty_database_agrees(engine: sa.Engine) -> None:
    assert check(engine, fail) == Verdict(0, 0, 0)


BREAKAGES = {
    "a count": (
        "UPDATE daily_statistics SET total_requests = total_requests + 1 WHERE {day}",
        "total_requests is",
    ),
    "a sum": (
        "UPDATE daily_statistics SET duration_sum_us = duration_sum_us - 1 WHERE {day}",
        "duration_sum_us is",
    ),
    "a percentile": (
        "UPDATE daily_statistics SET duration_p99_us = 7 WHERE {day}",
        "duration_p99_us is 7, not",
    ),
    "a histogram": (
        r"UPDATE daily_statistics SET histogram = '\x010101' WHERE {day}",
        "the histogram is another",
    ),
    "a lost day": ("DELETE FROM daily_statistics WHERE {day}", "the row is missing"),
    "a day too many": (
        (
            "INSERT INTO daily_statistics SELECT 'cust_2', date '1999-01-01', total_requests, client_errors, server_errors,"
            " duration_sum_us, duration_min_us, duration_max_us, histogram, duration_p50_us, duration_p90_us,"
            " duration_p95_us, duration_p99_us FROM daily_statistics WHERE {day}"
        ),
        "nothing contributes to this row",
    ),
}


@pytest.mark.parametrize("breakage", BREAKAGES)
def test_a_broken_day_is_found_and_mended(ingestor: Ingestor, breakage: str) -> None:
    statement, problem = BREAKAGES[breakage]
    engine, right = ingestor.engine, tables.merged_rows(ingestor.engine)
    execute(engine, statement.format(day="customer_id = 'cust_2' AND date = '2024-09-04'"))
    (found,) = differences(engine)
    assert found.customer_id == "cust_2"
    assert found.date == (dt.date(1999, 1, 1) if breakage == "a day too many" else DAY)
    assert problem in found.problem
    told: list[Difference] = []
    verdict = check(engine, told.append, mending=True)
    assert (told, verdict.differences, verdict.mended) == ([found], 0, 1)
    assert tables.merged_rows(engine) == right
    assert tables.statistics(engine) == oracle.statistics([*FIRST, *THIRD])


@pytest.mark.parametrize(
    ("statement", "problem"),
    [
        ("UPDATE customers SET total_requests = 1 WHERE customer_id = 'cust_3'", "total_requests is 1, not"),
        (
            "UPDATE customers SET first_date = '1999-01-01' WHERE customer_id = 'cust_3'",
            "first_date is 1999-01-01",
        ),
        ("DELETE FROM customers WHERE customer_id = 'cust_3'", "the row is missing"),
        (
            "INSERT INTO customers VALUES ('cust_9', 1, '1999-01-01', '1999-01-01', 5)",
            "nothing contributes to this row",
        ),
    ],
)
def test_a_broken_customer_is_found_and_mended(ingestor: Ingestor, statement: str, problem: str) -> None:
    engine, right = ingestor.engine, tables.customers(ingestor.engine)
    execute(engine, statement)
    (found,) = differences(engine)
    assert found.date is None
    assert problem in found.problem
    assert check(engine, lambda _: None, mending=True).differences == 0
    assert tables.customers(engine) == right


def test_mending_invalidates_kept_answers(ingestor: Ingestor) -> None:
    revision = sa.text("SELECT revision FROM customers WHERE customer_id = 'cust_2'")
    with ingestor.engine.connect() as connection:
        before = connection.scalar(revision)
    execute(ingestor.engine, "UPDATE daily_statistics SET client_errors = 0 WHERE customer_id = 'cust_2'")
    check(ingestor.engine, lambda _: None, mending=True)
    with ingestor.engine.connect() as connection:
        assert connection.scalar(revision) > before


def test_mending_waits_for_whoever_holds_the_customers_lock(ingestor: Ingestor) -> None:
    engine, right = ingestor.engine, tables.merged_rows(ingestor.engine)
    execute(engine, "UPDATE daily_statistics SET client_errors = 0 WHERE customer_id = 'cust_2'")
    broken = tables.merged_rows(engine)
    with ThreadPoolExecutor(1) as threads:
        with Session(engine) as session, session.begin():
            stripes.lock_customers(session, ["cust_2"])
            mending = threads.submit(mend, engine, ["cust_2"])
            wait_until(lambda: waiting(engine) == 1)
            assert tables.merged_rows(engine) == broken
        assert mending.result(20) == 1
    assert tables.merged_rows(engine) == right


def test_contributions_of_another_histogram_version_are_named_and_stay(ingestor: Ingestor) -> None:
    engine = ingestor.engine
    execute(
        engine,
        "UPDATE contributions SET histogram = :other WHERE customer_id = 'cust_1' AND date = '2024-09-04'",
        other=OTHER_VERSION,
    )
    before = tables.merged_rows(engine)
    told: list[Difference] = []
    assert check(engine, told.append, mending=True).differences == 1
    assert str(told[0]) == (
        "cust_1 2024-09-04: its contributions cannot be read: a histogram of version 9, which this code does not know"
    )
    assert tables.merged_rows(engine) == before


def test_an_ingest_onto_another_histogram_version_is_one_error_and_changes_nothing(
    ingestor: Ingestor, tmp_path: Path
) -> None:
    """Before the code that reads both versions is deployed, or after a rollback."""
    execute(
        ingestor.engine,
        "UPDATE daily_statistics SET histogram = :other WHERE customer_id = 'cust_1' AND date = '2024-09-04'",
        other=OTHER_VERSION,
    )
    before = tables.merged_rows(ingestor.engine)
    path = tmp_path / "d.log"
    path.write_bytes(as_bytes(SECOND))
    with pytest.raises(IntegrityError, match="a histogram of version 9, which this code does not know"):
        ingestor.ingest_file(LocalFile.at(path))
    assert tables.merged_rows(ingestor.engine) == before
    assert set(tables.leftovers(ingestor.engine).values()) == {0}


def test_ingests_may_go_on_meanwhile(
    ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is committed between two fetches is not seen by half."""
    monkeypatch.setattr(verify, "_PAGE", 2)
    path = tmp_path / "d.log"
    path.write_bytes(as_bytes(SECOND))
    verification = Verification(ingestor.engine)
    original = verify._of_customer

    def interrupted(*arguments: object) -> object:
        thread = threading.Thread(target=ingestor.ingest_file, args=[LocalFile.at(path)])
        thread.start()
        thread.join(30)
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(verify, "_of_customer", interrupted)
    assert list(verification.differences()) == []
    assert tables.statistics(ingestor.engine) == oracle.statistics([*FIRST, *SECOND, *THIRD])


def test_what_is_left_of_closed_days_is_neither_a_difference_nor_mended(ingestor: Ingestor) -> None:
    """A run of the retention that was cut off after it had closed the days; one of them has lost a contribution."""
    engine = ingestor.engine
    execute(engine, "UPDATE retention SET horizon = '2024-09-06'")
    execute(engine, "DELETE FROM contributions WHERE customer_id = 'cust_2' AND date = '2024-09-04'")
    before = tables.merged_rows(engine)
    assert differences(engine) == []
    execute(
        engine,
        "UPDATE daily_statistics SET client_errors = 0 WHERE customer_id = 'cust_2' AND date >= '2024-09-06'",
    )
    assert check(engine, lambda _: None, mending=True).mended == 1
    assert tables.merged_rows(engine) == before
    assert tables.customers(engine)["cust_2"][0] == "2024-09-04"


def test_after_the_retention_it_agrees(ingestor: Ingestor) -> None:
    expiry.expire(ingestor.engine, dt.date(2024, 9, 6))
    assert differences(ingestor.engine) == []
    assert {date for _, date, *_ in tables.merged_rows(ingestor.engine)} == {
        dt.date(2024, 9, 6),
        dt.date(2024, 9, 7),
    }


def test_the_same_histogram_of_another_version_is_no_difference() -> None:
    """What was stored before there were pages, and a sum that has them."""
    counts = Counter({bucket(1000 * milliseconds): 3 for milliseconds in range(100, 300)})
    packed, listed = encode(counts), encode_without_pages(counts)
    assert packed[0] != listed[0]
    assert not list(rows.differences(("histogram",), (packed,), (listed,)))
    del counts[bucket(150_000)]
    for other in (encode(counts), encode_without_pages(counts)):
        assert list(rows.differences(("histogram",), (packed,), (other,))) == ["the histogram is another"]
        assert list(rows.differences(("histogram",), (other,), (packed,))) == ["the histogram is another"]
