"""Partitions are made by the ingest that first needs them, whoever else does so at the same time."""

import datetime as dt
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
import sqlalchemy as sa

from processor.dataflow import sink
from processor.ingest import Ingestor
from tests import tables
from tests.ingests import ingest

LINE = "{}-{:02}-15 12:00:00 c /a 200 0.1"


@pytest.mark.parametrize(
    "months", [60, pytest.param(600, marks=[pytest.mark.nightly, pytest.mark.timeout(900)])]
)
def test_a_log_may_have_lines_of_any_number_of_months(
    ingestor: Ingestor, tmp_path: Path, months: int
) -> None:
    """No transaction takes more locks than the server has."""
    lines = [LINE.format(1970 + month // 12, month % 12 + 1) for month in range(months)]
    assert ingest(ingestor, tmp_path / "a.log", lines).customer_days == months
    tables.check(ingestor.engine, lines)


def test_several_ingests_may_need_the_same_months_at_once(ingestor: Ingestor, tmp_path: Path) -> None:
    lines = [LINE.format(2023, month) for month in (1, 2, 3)]
    ready = Barrier(4)

    def run(number: int) -> str | None:
        ready.wait()
        return ingest(ingestor, tmp_path / f"{number}.log", lines).outcome

    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(run, range(4))) == ["ingested"] * 4
    tables.check(ingestor.engine, lines, times=4)


def test_a_month_that_is_there_costs_an_ingest_no_statement(ingestor: Ingestor, tmp_path: Path) -> None:
    statements: list[str] = []
    for name in ("new.log", "known.log", "other.log"):
        statements.append("")

        def count(_connection: object, _cursor: object, statement: str, *_: object) -> None:
            statements[-1] += f"{statement}\n"

        sa.event.listen(ingestor.engine, "before_cursor_execute", count)
        ingest(ingestor, tmp_path / name, [LINE.format(2023, 1)])
        sa.event.remove(ingestor.engine, "before_cursor_execute", count)
    assert [each.count("make_partitions") for each in statements] == [2, 0, 0]


def test_who_makes_a_month_does_not_wait_for_those_who_write_to_others(
    ingestor: Ingestor, tmp_path: Path
) -> None:
    ingest(ingestor, tmp_path / "a.log", [LINE.format(2023, 1)])
    january, february = dt.date(2023, 1, 1), dt.date(2023, 2, 1)
    with ingestor.engine.begin() as writing, ingestor.engine.begin() as making:
        writing.execute(sink._MAKE_PARTITIONS, {"days": [january]})
        making.execute(sa.text("SET LOCAL lock_timeout = '1s'"))
        making.execute(sink._MAKE_PARTITIONS, {"days": [january, february]})
    assert ingest(ingestor, tmp_path / "b.log", [LINE.format(2023, 2)]).outcome == "ingested"
