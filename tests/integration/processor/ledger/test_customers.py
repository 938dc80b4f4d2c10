"""The customers follow their daily statistics, and their revisions every change."""

from pathlib import Path

from processor.ingest import Ingestor
from tests import tables
from tests.ingests import ingest
from tests.logs import random_lines


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
    first, second = random_lines(1, 300, customers=9), random_lines(2, 300, customers=4)
    ingest(ingestor, tmp_path / "a.log", first)
    before = tables.revisions(ingestor.engine)
    ingest(ingestor, tmp_path / "a.log", first)
    assert tables.revisions(ingestor.engine) == before, "nothing has changed"
    ingest(ingestor, tmp_path / "b.log", second)
    after = tables.revisions(ingestor.engine)
    touched = {name for name in after if after[name] != before[name]}
    assert touched == {f"cust_{number}" for number in range(1, 5)}
    assert min(after[name] for name in touched) > max(before.values())
