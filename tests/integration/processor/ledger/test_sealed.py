"""Sealed days: something may be added to them, and what would have to subtract fails as a whole."""

import datetime as dt
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from local.cli import app
from local.errors import UserError
from logstats.database import create_engine
from logstats.models import Base
from logstats.settings import DatabaseSettings
from processor.ingest import Ingestor
from processor.ingest_summary import IngestSummary
from processor.ledger.delivery import Delivery, Withdrawal
from processor.ledger.horizon import SealedError
from processor.ledger.verify import Verification
from processor.ledger.withdrawal import ignore
from processor.reading.objects import FILE_BUCKET, LocalFile
from processor.retention.expiry import expire
from tests import oracle, tables
from tests.ingests import ingest, log_file
from tests.logs import random_lines

OCTOBER = dt.date(2024, 10, 1)
OLD = random_lines(1, 60, days=3)
NEW = random_lines(2, 60, days=3, first=OCTOBER)
OTHER = random_lines(3, 60, days=3)

Put = Callable[[str, list[str]], IngestSummary]


@pytest.fixture
def put(ingestor: Ingestor, tmp_path: Path) -> Put:
    return lambda name, lines: ingest(ingestor, tmp_path / name, lines)


def everything(engine: sa.Engine) -> dict[str, list[tuple[object, ...]]]:
    """All rows that a delivery may change; of an attempt that failed nothing is left."""
    with engine.connect() as connection:
        return {
            name: sorted(map(tuple, connection.execute(sa.select(table))), key=repr)
            for name, table in Base.metadata.tables.items()
        }


def contributions(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return connection.scalar(sa.text("SELECT count(*) FROM contributions")) or 0


def check(engine: sa.Engine, lines: list[str]) -> None:
    tables.check(engine, lines)
    assert tables.customers(engine) == oracle.customers(oracle.statistics(lines))
    assert not list(Verification(engine).differences())


@pytest.mark.parametrize("lines", [OLD, OLD + NEW], ids=["sealed", "sealed in part"])
@pytest.mark.parametrize("way", ["replaced", "emptied", "withdrawn", "forced", "ignored"])
def test_what_would_subtract_from_a_sealed_day_is_one_error_and_changes_nothing(
    ingestor: Ingestor, put: Put, tmp_path: Path, lines: list[str], way: str
) -> None:
    engine, name = ingestor.engine, str(tmp_path / "a.log")
    put("a.log", lines)
    put("b.log", OTHER)
    expire(engine, sealed=OCTOBER)
    before = everything(engine)
    ways: dict[str, Callable[[], object]] = {
        "replaced": lambda: put("a.log", [*lines, "2024-10-02 00:00:00 c /a 200 1"]),
        "emptied": lambda: put("a.log", []),
        "withdrawn": lambda: ingestor.withdraw(Withdrawal(FILE_BUCKET, name)),
        "forced": lambda: replace(ingestor, force=True).ingest_file(LocalFile.at(tmp_path / "a.log")),
        "ignored": lambda: ignore(engine, Delivery(FILE_BUCKET, name, version="2"), 1, ingestor.rejects),
    }
    with pytest.raises(SealedError) as raised:
        ways[way]()
    assert str(raised.value) == (
        f"{name}: it counts on days that are sealed, 2024-09-04 to 2024-09-06:"
        " nothing of them can be taken out or replaced"
    )
    assert everything(engine) == before
    check(engine, lines + OTHER)


def test_late_lines_are_added_and_their_contributions_are_not_kept(ingestor: Ingestor, put: Put) -> None:
    engine = ingestor.engine
    put("a.log", OLD)
    assert expire(engine, sealed=OCTOBER).partitions == 2, (
        "August's, and September's, which a commit makes again"
    )
    assert contributions(engine) == 0
    late = put("late.log", OTHER + NEW)
    assert (late.outcome, late.expired) == ("ingested", 0)
    assert late.customer_days == len(oracle.statistics(OTHER + NEW))
    assert contributions(engine) == len(oracle.statistics(NEW))
    check(engine, OLD + OTHER + NEW)
    assert put("a.log", OLD).outcome == put("late.log", OTHER + NEW).outcome == "unchanged"
    assert expire(engine).partitions == 1, "which is empty again"
    check(engine, OLD + OTHER + NEW)


def test_an_object_that_counts_on_no_sealed_day_is_replaced_and_withdrawn(
    ingestor: Ingestor, put: Put, tmp_path: Path
) -> None:
    """Even by one that has lines of sealed days."""
    put("old.log", OLD)
    put("new.log", NEW)
    expire(ingestor.engine, sealed=OCTOBER)
    assert put("new.log", NEW[:30]).outcome == "replaced"
    check(ingestor.engine, OLD + NEW[:30])
    assert put("new.log", NEW[:20] + OTHER).outcome == "replaced"
    check(ingestor.engine, OLD + NEW[:20] + OTHER)
    put("newer.log", NEW)
    ingestor.withdraw(Withdrawal(FILE_BUCKET, str(tmp_path / "newer.log")))
    check(ingestor.engine, OLD + NEW[:20] + OTHER)


def test_the_error_of_scattered_days_stays_short(ingestor: Ingestor, put: Put) -> None:
    put("a.log", [f"2024-09-{day:02} 12:00:00 cust_1 /a 200 0.1" for day in (1, 2, 4, 6, 8, 10)])
    expire(ingestor.engine, sealed=OCTOBER)
    days = "2024-09-01 to 2024-09-02, 2024-09-04, 2024-09-06, and 2 more: nothing of them"
    with pytest.raises(SealedError, match=f"sealed, {days}"):
        put("a.log", NEW)


def test_closed_days_do_not_count_as_sealed(ingestor: Ingestor, put: Put) -> None:
    """Their contributions are gone with the statistics, so that nothing need be subtracted."""
    put("a.log", OLD + NEW)
    expire(ingestor.engine, OCTOBER, dt.date(2024, 10, 1))
    assert put("a.log", NEW[:30]).outcome == "replaced"
    check(ingestor.engine, NEW[:30])


@pytest.mark.parametrize(("lines", "refused"), [(NEW, False), (OLD, True), (OLD + NEW, True)])
def test_an_object_of_before_its_days_were_kept_is_known_by_its_contributions(
    ingestor: Ingestor, put: Put, lines: list[str], *, refused: bool
) -> None:
    """It counted before revision 0010: what is stored of it is not all that it has counted."""
    engine = ingestor.engine
    put("a.log", lines)
    expire(engine, sealed=OCTOBER)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE log_objects SET days = NULL"))
    if refused:
        with pytest.raises(SealedError, match="sealed, before 2024-10-01: nothing of them"):
            put("a.log", OTHER)
    else:
        assert put("a.log", OTHER).outcome == "replaced"
    check(engine, lines if refused else OTHER)


def test_what_was_staged_before_the_seal_is_added_after_it(
    ingestor: Ingestor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A partition in which an attempt has staged something is not dropped."""
    from processor.ledger import commit  # noqa: PLC0415 - to be patched

    real, runs = commit._commit, []

    def after_a_run(*arguments: object) -> object:
        runs.append(expire(ingestor.engine, sealed=OCTOBER))
        return real(*arguments)  # type: ignore[arg-type]  # passed on as they come

    with monkeypatch.context() as patched:
        patched.setattr(commit, "_commit", after_a_run)
        ingest(ingestor, tmp_path / "a.log", OLD)
    assert [run.partitions for run in runs] == [1], "August's"
    assert expire(ingestor.engine).partitions == 1
    check(ingestor.engine, OLD)


def test_a_partition_stays_that_is_about_to_be_written_to(
    ingestor: Ingestor, put: Put, database: DatabaseSettings
) -> None:
    """A run drops an empty one of a sealed month; the ingest that has found it missing has made it again by then."""
    engine, other = ingestor.engine, create_engine(database)
    expire(engine, sealed=OCTOBER)
    runs: list[str] = []

    def run(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if "make_partitions" in statement:
            runs.append(statement)
            with suppress(sa.exc.OperationalError), other.begin() as connection:
                connection.execute(sa.text("SELECT drop_expired_partition('contributions')"))

    sa.event.listen(engine, "after_cursor_execute", run)
    assert put("a.log", OLD).outcome == "ingested"
    sa.event.remove(engine, "after_cursor_execute", run)
    other.dispose()
    assert len(runs) == 2
    check(engine, OLD)


@pytest.fixture
def sealed(
    put: Put, ingestor: Ingestor, database: DatabaseSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """A file that counts on sealed days, and has grown since."""
    monkeypatch.setenv("DATABASE_URL", database.url)
    monkeypatch.chdir(tmp_path)
    put("a.log", OLD)
    put("b.log", NEW)
    expire(ingestor.engine, sealed=OCTOBER)
    return Path(log_file(tmp_path / "a.log", OLD + NEW).key)


ERROR = "a.log: it counts on days that are sealed, 2024-09-04 to 2024-09-06: nothing of them can be taken out or replaced"


@pytest.mark.parametrize("command", [["ingest", "a.log"], ["forget", "a.log"]], ids=" ".join)
def test_the_command_line_says_it_in_one_line(ingestor: Ingestor, sealed: Path, command: list[str]) -> None:
    with pytest.raises(UserError) as raised:
        CliRunner().invoke(app, command, catch_exceptions=False)
    assert str(raised.value).removesuffix(".").endswith(ERROR)
    check(ingestor.engine, OLD + NEW)


def test_a_folder_is_ingested_without_it(ingestor: Ingestor, sealed: Path, tmp_path: Path) -> None:
    log_file(tmp_path / "c.log", OTHER)
    result = CliRunner().invoke(app, ["ingest", str(tmp_path), "--json"])
    assert result.exit_code == 1
    assert ERROR in result.stderr
    assert result.stderr.count("sealed") == 1
    check(ingestor.engine, OLD + NEW + OTHER)
