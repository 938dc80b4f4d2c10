"""The customers follow their daily statistics, and their revisions every change."""

from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats.models import Customer
from processor.ingest import Ingestor
from processor.reading.objects import LocalFile
from processor.reject_stores import LocalRejectStore
from tests import oracle, tables
from tests.logs import as_bytes, random_lines


@pytest.fixture
def ingestor(engine: sa.Engine, tmp_path: Path) -> Ingestor:
    return Ingestor(engine, LocalRejectStore(tmp_path / "rejected"), workers=1)


def ingest(ingestor: Ingestor, path: Path, lines: list[str]) -> None:
    path.write_bytes(as_bytes(lines))
    ingestor.ingest_file(LocalFile.at(path))


def expected(lines: list[str]) -> dict[str, tuple[str, str, int]]:
    return summarised(oracle.statistics(lines))


def summarised(statistics: oracle.Statistics) -> dict[str, tuple[str, str, int]]:
    days = sorted(
        (customer, date, fields["total_requests"]) for (customer, date), fields in statistics.items()
    )
    return {
        customer: (
            min(date for name, date, _ in days if name == customer),
            max(date for name, date, _ in days if name == customer),
            sum(requests for name, _, requests in days if name == customer),
        )
        for customer in {name for name, _, _ in days}
    }


def revisions(engine: sa.Engine) -> dict[str, int]:
    with Session(engine) as session:
        return {row.customer_id: row.revision for row in session.scalars(sa.select(Customer))}


def test_customers_follow_ingests_replacements_and_withdrawals(ingestor: Ingestor, tmp_path: Path) -> None:
    first, second = random_lines(1, 300, customers=9, days=9), random_lines(2, 200, customers=4, days=20)
    third = random_lines(3, 50, customers=2, days=2)
    ingest(ingestor, tmp_path / "a.log", first)
    assert tables.customers(ingestor.engine) == expected(first)
    ingest(ingestor, tmp_path / "b.log", second)
    assert tables.customers(ingestor.engine) == expected(first + second)
    ingest(ingestor, tmp_path / "a.log", third)
    assert tables.customers(ingestor.engine) == expected(third + second)
    ingest(ingestor, tmp_path / "b.log", [])
    assert tables.customers(ingestor.engine) == expected(third)
    ingest(ingestor, tmp_path / "a.log", [])
    assert tables.customers(ingestor.engine) == {}


def test_an_object_with_fewer_days_leaves_the_first_and_last_as_they_were(
    ingestor: Ingestor, tmp_path: Path
) -> None:
    line = "2024-09-{:02} 12:00:00 cust_1 /a 200 0.1".format
    for name, days in (("b", [9, 20]), ("a", [12]), ("c", [3]), ("d", [28])):
        ingest(ingestor, tmp_path / f"{name}.log", [line(day) for day in days])
    assert tables.customers(ingestor.engine) == {"cust_1": ("2024-09-03", "2024-09-28", 5)}
    ingest(ingestor, tmp_path / "c.log", [])
    assert tables.customers(ingestor.engine) == {"cust_1": ("2024-09-09", "2024-09-28", 4)}


def test_a_change_advances_the_revisions_of_the_touched_customers_only(
    ingestor: Ingestor, tmp_path: Path
) -> None:
    ingest(ingestor, tmp_path / "a.log", random_lines(1, 300, customers=9))
    before = revisions(ingestor.engine)
    ingest(ingestor, tmp_path / "a.log", random_lines(1, 300, customers=9))
    assert revisions(ingestor.engine) == before, "nothing has changed"
    ingest(ingestor, tmp_path / "b.log", random_lines(2, 300, customers=4))
    after = revisions(ingestor.engine)
    assert {name for name in after if after[name] != before[name]} == {
        f"cust_{number}" for number in range(1, 5)
    }
    assert min(after[f"cust_{number}"] for number in range(1, 5)) > max(before.values())


def test_a_customer_that_comes_back_has_a_newer_revision(ingestor: Ingestor, tmp_path: Path) -> None:
    lines = random_lines(1, 10, customers=1)
    ingest(ingestor, tmp_path / "a.log", lines)
    before = revisions(ingestor.engine)
    ingest(ingestor, tmp_path / "a.log", [])
    ingest(ingestor, tmp_path / "a.log", lines)
    assert revisions(ingestor.engine)["cust_1"] > before["cust_1"]
