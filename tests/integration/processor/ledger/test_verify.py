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
from processor.ledger.change import IntegrityError
from processor.ledger.delivery import Withdrawal
from processor.ledger.mend import mend
from processor.ledger.verify import Difference, Verdict, Verification, check
from processor.retention.expiry import expire
from tests import oracle, tables
from tests.ingests import ingest, log_file
from tests.logs import random_lines
from tests.reference import bucket, encode, encode_without_pages

FIRST, SECOND, THIRD = (random_lines(seed, 400, customers=3) for seed in (1, 2, 3))
DAY = dt.date(2024, 9, 4)
OTHER_VERSION = b"\x09\x01\x01"


@pytest.fixture
def ingestor(ingestor: Ingestor, tmp_path: Path) -> Ingestor:
    """Three logs, of which one has been withdrawn and one replaced."""
    for name, lines in (("a", FIRST), ("b", FIRST), ("c", SECOND), ("b", THIRD)):
        ingest(ingestor, tmp_path / f"{name}.log", lines)
    ingestor.withdraw(Withdrawal("file", str(tmp_path / "c.log")))
    return ingestor


def execute(engine: sa.Engine, statement: str, **values: object) -> None:
    with engine.begin() as connection:
        assert connection.execute(sa.text(statement), values).rowcount


def test_what_ingests_have_made_agrees(ingestor: Ingestor) -> None:
    days = len(oracle.statistics([*FIRST, *THIRD]))
    assert check(ingestor.engine, print) == Verdict(customers=3, customer_days=days, differences=0)


OF_A_DAY = "WHERE customer_id = 'cust_2' AND date = '2024-09-04'"
ANOTHER_DAY = (
    "INSERT INTO daily_statistics SELECT 'cust_2', date '2024-08-01', total_requests, client_errors, server_errors,"
    " duration_sum_us, duration_min_us, duration_max_us, histogram, duration_p50_us, duration_p90_us,"
    f" duration_p95_us, duration_p99_us FROM daily_statistics {OF_A_DAY}"
)


ANOTHER_CUSTOMER = "INSERT INTO customers VALUES ('cust_9', 1, '1999-01-01', '1999-01-01', 5)"


@pytest.mark.parametrize(
    ("statement", "customer", "date", "problem"),
    [
        (f"{statement} {OF_A_DAY}", "cust_2", DAY, problem)
        for statement, problem in {
            "UPDATE daily_statistics SET total_requests = total_requests + 1": "total_requests is",
            "UPDATE daily_statistics SET duration_sum_us = duration_sum_us - 1": "duration_sum_us is",
            "UPDATE daily_statistics SET duration_p99_us = 7": "duration_p99_us is 7, not",
            r"UPDATE daily_statistics SET histogram = '\x010101'": "the histogram is another",
            "DELETE FROM daily_statistics": "the row is missing",
        }.items()
    ]
    + [
        (f"{statement} WHERE customer_id = 'cust_3'", "cust_3", None, problem)
        for statement, problem in {
            "UPDATE customers SET total_requests = 1": "total_requests is 1, not",
            "UPDATE customers SET first_date = '1999-01-01'": "first_date is 1999-01-01",
            "DELETE FROM customers": "the row is missing",
        }.items()
    ]
    + [
        (ANOTHER_DAY, "cust_2", dt.date(2024, 8, 1), "nothing contributes to this row"),
        (ANOTHER_CUSTOMER, "cust_9", None, "nothing contributes to this row"),
    ],
)
def test_what_is_broken_is_the_only_difference_and_mended(
    ingestor: Ingestor, statement: str, customer: str, date: dt.date | None, problem: str
) -> None:
    engine = ingestor.engine
    right, customers = tables.merged_rows(engine), tables.customers(engine)
    execute(engine, statement)
    told: list[Difference] = []
    verdict = check(engine, told.append, mending=True)
    assert (len(told), verdict.differences, verdict.mended) == (1, 0, 1)
    assert (told[0].customer_id, told[0].date) == (customer, date)
    assert problem in told[0].problem
    assert tables.merged_rows(engine) == right
    assert tables.customers(engine) == customers


def test_mending_invalidates_kept_answers(ingestor: Ingestor) -> None:
    before = tables.revisions(ingestor.engine)["cust_2"]
    execute(ingestor.engine, "UPDATE daily_statistics SET client_errors = 0 WHERE customer_id = 'cust_2'")
    check(ingestor.engine, lambda _: None, mending=True)
    assert tables.revisions(ingestor.engine)["cust_2"] > before


def test_mending_waits_for_whoever_holds_the_customers_lock(ingestor: Ingestor) -> None:
    engine, right = ingestor.engine, tables.merged_rows(ingestor.engine)
    execute(engine, "UPDATE daily_statistics SET client_errors = 0 WHERE customer_id = 'cust_2'")
    broken = tables.merged_rows(engine)
    with ThreadPoolExecutor(1) as threads:
        with Session(engine) as session, session.begin():
            stripes.lock_customers(session, ["cust_2"])
            mending = threads.submit(mend, engine, ["cust_2"])
            tables.wait_for_waiting(engine)
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
    with pytest.raises(IntegrityError, match="a histogram of version 9, which this code does not know"):
        ingest(ingestor, tmp_path / "d.log", SECOND)
    assert tables.merged_rows(ingestor.engine) == before
    assert set(tables.leftovers(ingestor.engine).values()) == {0}


def test_ingests_may_go_on_meanwhile(
    ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is committed between two fetches is not seen by half."""
    monkeypatch.setattr(verify, "_PAGE", 2)
    log = log_file(tmp_path / "d.log", SECOND)
    verification = Verification(ingestor.engine)
    original = verify._of_customer

    def interrupted(*arguments: object) -> object:
        thread = threading.Thread(target=ingestor.ingest_file, args=[log])
        thread.start()
        thread.join(30)
        return original(*arguments)  # type: ignore[arg-type]  # passed on as they come

    monkeypatch.setattr(verify, "_of_customer", interrupted)
    assert list(verification.differences()) == []
    assert tables.statistics(ingestor.engine) == oracle.statistics([*FIRST, *SECOND, *THIRD])


def test_what_is_left_of_closed_days_is_neither_a_difference_nor_mended(ingestor: Ingestor) -> None:
    """A run of the retention that was cut off after it had closed the days; one of them has lost a contribution."""
    engine = ingestor.engine
    execute(engine, "UPDATE retention SET horizon = '2024-09-06', sealed = '2024-09-06'")
    execute(engine, "DELETE FROM contributions WHERE customer_id = 'cust_2' AND date = '2024-09-04'")
    before = tables.merged_rows(engine)
    assert list(Verification(engine).differences()) == []
    execute(
        engine,
        "UPDATE daily_statistics SET client_errors = 0 WHERE customer_id = 'cust_2' AND date >= '2024-09-06'",
    )
    assert check(engine, lambda _: None, mending=True).mended == 1
    assert tables.merged_rows(engine) == before
    assert tables.customers(engine)["cust_2"][0] == "2024-09-04"


def test_the_horizons_own_day_is_open(ingestor: Ingestor) -> None:
    execute(ingestor.engine, "UPDATE retention SET horizon = '2024-09-05', sealed = '2024-09-05'")
    execute(
        ingestor.engine, "DELETE FROM contributions WHERE customer_id = 'cust_2' AND date <= '2024-09-05'"
    )
    (day,) = Verification(ingestor.engine).differences()
    assert (day.customer_id, day.date) == ("cust_2", dt.date(2024, 9, 5))
    assert day.problem == "nothing contributes to this row"


def test_a_customer_that_has_closed_days_is_left_to_the_retention(ingestor: Ingestor) -> None:
    """Its statistics may be gone already; a run of the retention finds it by its row."""
    engine = ingestor.engine
    execute(engine, "UPDATE retention SET horizon = '2024-10-01', sealed = '2024-10-01'")
    execute(engine, "DELETE FROM daily_statistics WHERE customer_id = 'cust_2'")
    execute(engine, "UPDATE customers SET total_requests = 1 WHERE customer_id = 'cust_3'")
    assert check(engine, lambda _: None, mending=True).differences == 0
    expired = expire(engine, dt.date(2024, 10, 1))
    assert (expired.partitions, expired.customers) == (4, 3)
    assert (tables.statistics(engine), tables.customers(engine)) == ({}, {})


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
