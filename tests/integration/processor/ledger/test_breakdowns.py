"""Breakdowns in the tables: the same whatever way a log comes, and none where one of the contributions has none."""

import gzip
import random
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa

from logstats.domain.breakdown import Breakdown
from logstats.native import Kept
from processor.dataflow import source
from processor.ingest import Ingestor
from processor.ledger.delivery import Withdrawal
from processor.ledger.verify import Verdict, check
from processor.reading.objects import LocalFile
from tests import oracle, tables
from tests.ingests import ingest, log_file
from tests.logs import as_bytes

NOTHING, STATUSES, SLOTS_AND_STATUSES, EVERYTHING = map(Kept, (0, 4, 5, 7))


def some_lines(seed: int, count: int, routes: int = 700, root: str = "found") -> list[str]:
    """Requests of one customer's day to more routes than an object may contribute, so that what is left out matters."""
    choose = random.Random(seed)
    return [
        f"2024-09-0{4 + number % 2} {choose.randrange(24):02}:{choose.randrange(60):02}:00 cust_1 "
        f"/{root}/{choose.choice('abcdefghij')}{choose.randrange(routes // 10)}x {choose.choice([200, 404, 500])} 0.{number % 999:03}"
        for number in range(count)
    ]


LINES = some_lines(1, 6_000)


def stored(engine: sa.Engine) -> dict[str, Breakdown | None]:
    """The breakdown of each day."""
    with engine.connect() as connection:
        found = connection.execute(sa.text("SELECT date::text, breakdown FROM daily_statistics"))
        return {date: None if encoded is None else Breakdown(encoded) for date, encoded in found}


@pytest.fixture
def expected(ingestor: Ingestor, tmp_path: Path) -> Iterator[dict[str, Breakdown | None]]:
    """The breakdowns of the log, read at once; the tables are empty again."""
    ingest(ingestor, tmp_path / "whole.log", LINES)
    found = stored(ingestor.engine)
    assert all(each and len(each.routes) == 502 for each in found.values())
    ingestor.withdraw(Withdrawal("file", str(tmp_path / "whole.log")))
    assert stored(ingestor.engine) == {}
    yield found
    assert check(ingestor.engine, print).differences == 0


def test_the_order_of_lines_and_compression_make_no_difference(
    ingestor: Ingestor, tmp_path: Path, expected: dict[str, Breakdown | None]
) -> None:
    shuffled = LINES.copy()
    random.Random(2).shuffle(shuffled)
    for name, data in (("shuffled.log", as_bytes(shuffled)), ("a.log.gz", gzip.compress(as_bytes(LINES)))):
        ingest(ingestor, tmp_path / name, data)
        assert stored(ingestor.engine) == expected
        ingestor.withdraw(Withdrawal("file", str(tmp_path / name)))


@pytest.mark.parametrize("workers", [1, 4])
def test_workers_and_parts_make_no_difference(
    ingestor: Ingestor,
    tmp_path: Path,
    expected: dict[str, Breakdown | None],
    workers: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chunks are small, each is handed on by itself, and late: parts of one object are united in the kernel and at the commit."""
    monkeypatch.setattr(source, "CHUNK_BYTES", 1 << 15)
    monkeypatch.setattr("processor.reading.lines.CHUNK_BYTES", 1 << 15)
    monkeypatch.setattr(source, "MAX_SUMMARY_BYTES", 1 << 16)
    several = replace(
        ingestor, workers=workers, wait_for_system_duration=ingestor.wait_for_system_duration * 0
    )
    log = log_file(tmp_path / "a.log", LINES)
    several.ingest_file(log)
    assert stored(ingestor.engine) == expected
    replace(several, force=True).ingest_file(log)
    assert stored(ingestor.engine) == expected


def test_a_day_is_the_sum_of_its_objects(ingestor: Ingestor, tmp_path: Path) -> None:
    halves = LINES[:3_000], some_lines(3, 3_000, root="other")
    ingest(ingestor, tmp_path / "a.log", halves[0])
    first = stored(ingestor.engine)
    ingest(ingestor, tmp_path / "b.log", halves[1])
    assert all(each and len(each.routes) > 502 for each in stored(ingestor.engine).values())
    assert check(ingestor.engine, print).differences == 0
    ingest(ingestor, tmp_path / "b.log", some_lines(4, 3_000))
    assert check(ingestor.engine, print).differences == 0
    ingestor.withdraw(Withdrawal("file", str(tmp_path / "b.log")))
    assert stored(ingestor.engine) == first


FEW, MORE = some_lines(5, 40, 20), some_lines(6, 40, 20)


def test_a_day_has_none_while_one_of_its_objects_has_none(ingestor: Ingestor, tmp_path: Path) -> None:
    """Rows from before there were breakdowns; read again, they get one."""
    old, engine = replace(ingestor, kept=NOTHING), ingestor.engine
    ingest(old, tmp_path / "old.log", FEW)
    assert set(stored(engine).values()) == {None}
    ingest(ingestor, tmp_path / "new.log", MORE)
    assert set(stored(engine).values()) == {None}
    assert check(engine, print).differences == 0
    replace(ingestor, force=True).ingest_file(LocalFile.at(tmp_path / "old.log"))
    tables.check(engine, FEW + MORE)
    assert check(engine, print).differences == 0


@pytest.mark.parametrize("replaced", [False, True])
def test_what_others_keep_comes_back(ingestor: Ingestor, tmp_path: Path, *, replaced: bool) -> None:
    """Without the object that kept less, a day has what all others keep."""
    engine = ingestor.engine
    ingest(ingestor, tmp_path / "a.log", FEW)
    before = stored(engine)
    for kept in (NOTHING, STATUSES, SLOTS_AND_STATUSES):
        ingest(replace(ingestor, kept=kept), tmp_path / "b.log", MORE)
        assert {each and each.parts for each in stored(engine).values()} == {kept.parts or None}
        assert check(engine, print).differences == 0
        if replaced:
            ingest(ingestor, tmp_path / "b.log", MORE[:20])
            tables.check(engine, FEW + MORE[:20])
        ingestor.withdraw(Withdrawal("file", str(tmp_path / "b.log")))
        assert stored(engine) == before
        assert check(engine, print).differences == 0


def test_a_breakdown_that_older_code_did_not_change_is_made_anew(ingestor: Ingestor, tmp_path: Path) -> None:
    """It adds contributions without one, and knows nothing of the column."""
    engine = ingestor.engine
    ingest(ingestor, tmp_path / "a.log", FEW)
    before = stored(engine)
    ingest(replace(ingestor, kept=NOTHING), tmp_path / "b.log", MORE)
    with engine.begin() as connection:
        for date, breakdown in before.items():
            values = {"date": date, "breakdown": breakdown and breakdown.encoded}
            connection.execute(
                sa.text(
                    "UPDATE daily_statistics SET breakdown = :breakdown WHERE date = CAST(:date AS date)"
                ),
                values,
            )
    assert check(engine, lambda _: None).differences == 2
    ingest(ingestor, tmp_path / "c.log", MORE[:30])
    assert set(stored(engine).values()) == {None}
    ingestor.withdraw(Withdrawal("file", str(tmp_path / "b.log")))
    tables.check(engine, FEW + MORE[:30])
    assert check(engine, print).differences == 0


def test_a_breakdown_that_is_wrong_is_found_and_mended(ingestor: Ingestor, tmp_path: Path) -> None:
    ingest(ingestor, tmp_path / "a.log", FEW)
    with ingestor.engine.begin() as connection:
        connection.execute(
            sa.text("UPDATE daily_statistics SET breakdown = :other WHERE date = '2024-09-04'"),
            {"other": b"\1\4\0\0"},
        )
    found: list[str] = []
    verdict = check(ingestor.engine, lambda difference: found.append(str(difference)), mending=True)
    assert found == ["cust_1 2024-09-04: the breakdown is another"]
    assert verdict == Verdict(1, 2, 0, 1)
    assert tables.statistics(ingestor.engine) == oracle.statistics(FEW)
