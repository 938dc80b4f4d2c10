"""The tables of a full database become partitioned while everybody goes on; months get partitions when they are needed."""

import datetime as dt
import os
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from migrate import indexes, partitions
from migrate.revision import renew
from processor.ingest import Ingestor
from processor.ledger.verify import Verification
from processor.reading.objects import LocalFile
from tests import oracle, tables
from tests.faults.runner import Countdown
from tests.ingests import ingest, log_file
from tests.logs import random_lines

LINES = random_lines(1, 200)
OF = sa.text("SELECT partition::text, until FROM partitions_of(to_regclass(:table)) ORDER BY until")
PLAIN = """
ALTER TABLE {0} RENAME TO other;
CREATE TABLE {0} (LIKE other INCLUDING ALL EXCLUDING INDEXES);
INSERT INTO {0} SELECT * FROM other;
DROP TABLE other;
ALTER TABLE {0} ADD PRIMARY KEY ({1});
{2}
"""
INDEXES = {
    "contributions": "CREATE INDEX contributions_by_customer_day ON contributions (customer_id, date)",
    "daily_statistics": "",
}


def execute(engine: sa.Engine, statements: str) -> None:
    with engine.begin() as connection:
        for statement in filter(str.strip, statements.split(";")):
            connection.execute(sa.text(statement))


def partitions_of(engine: sa.Engine, table: str) -> list[tuple[str, dt.date]]:
    with engine.connect() as connection:
        return [(row[0], row[1]) for row in connection.execute(OF, {"table": table})]


@pytest.fixture
def full(ingestor: Ingestor, tmp_path: Path) -> Ingestor:
    """One whose database has rows, and the tables of before revision 0011."""
    ingest(ingestor, tmp_path / "a.log", LINES)
    make_plain(ingestor.engine)
    return ingestor


def make_plain(engine: sa.Engine) -> None:
    """Give a database the tables of before revision 0011."""
    for name, table in partitions.TABLES.items():
        key = ", ".join(column.name for column in table.primary_key)
        execute(engine, PLAIN.format(name, key, INDEXES[name]))
    indexes.build(engine)


def check(ingestor: Ingestor, lines: list[str]) -> None:
    assert tables.statistics(ingestor.engine) == oracle.statistics(lines)
    assert not list(Verification(ingestor.engine).differences())


def file_nodes(engine: sa.Engine, suffix: str) -> list[int]:
    nodes = sa.text(
        "SELECT pg_relation_filenode(to_regclass(indexrelid::text)) FROM pg_index WHERE indrelid = to_regclass(:name)"
        " UNION ALL SELECT pg_relation_filenode(to_regclass(:name)) ORDER BY 1"
    )
    with engine.connect() as connection:
        return [
            node
            for table in partitions.TABLES
            for node in connection.scalars(nodes, {"name": f"{table}{suffix}"}).all()
        ]


def test_a_full_table_becomes_a_partition_and_neither_a_row_nor_an_index_is_rewritten(
    full: Ingestor, tmp_path: Path
) -> None:
    before = file_nodes(full.engine, "")
    assert partitions.build(full.engine)
    assert file_nodes(full.engine, "_before") == before
    check(full, LINES)
    months = partitions._months(dt.datetime.now(dt.UTC).date(), 6)
    for table in partitions.TABLES:
        expected = [f"{table}_before", *(f"{table}_{month:%Y_%m}" for month in months[2:-1])]
        assert partitions_of(full.engine, table) == list(zip(expected, months[2:], strict=True))
    with full.engine.connect() as connection:
        assert renew(connection)
    assert not partitions.build(full.engine)
    late = ["2024-09-01 12:00:00 cust_1 /a 200 0.1"]
    ingest(full, tmp_path / "b.log", late)
    check(full, LINES + late)


def test_rows_of_days_that_nobody_should_have_written_move_the_cut_off(
    ingestor: Ingestor, tmp_path: Path
) -> None:
    file, lines = tmp_path / "a.log", [*LINES, "2099-01-05 10:00:00 cust_1 /a 200 0.5"]
    log_file(file, lines)
    os.utime(file, (4_100_000_000, 4_100_000_000))
    ingestor.ingest_file(LocalFile.at(file))
    make_plain(ingestor.engine)
    assert partitions.build(ingestor.engine)
    check(ingestor, lines)
    for table in partitions.TABLES:
        assert partitions_of(ingestor.engine, table) == [(f"{table}_before", dt.date(2099, 2, 1))]


@pytest.mark.timeout(600)
@pytest.mark.parametrize("step", [4, pytest.param(1, marks=pytest.mark.nightly)])
def test_it_may_be_interrupted_at_any_statement_and_run_again(
    full: Ingestor, database: DatabaseSettings, tmp_path: Path, step: int
) -> None:
    other = create_engine(database)
    side = create_engine(database, isolation_level="AUTOCOMMIT")

    def cut(connection: sa.Connection) -> None:
        session: Any = connection.connection.dbapi_connection
        with side.connect() as killer:
            killer.exec_driver_sql(f"SELECT pg_terminate_backend({session.info.backend_pid}, 1000)")

    countdown, lines, at, is_over = Countdown(other), list(LINES), 0, False
    while not is_over:
        countdown.arm(at, cut)
        with suppress(sa.exc.DBAPIError):
            is_over = partitions.build(other)
        countdown.arm(-1, None)
        lines.append(f"2024-09-04 12:00:00 cust_{at} /a 200 0.1")
        ingest(full, tmp_path / f"{at}.log", lines[-1:])
        partitions.build(full.engine)
        check(full, lines)
        assert partitions_of(full.engine, "contributions")[0][0] == "contributions_before"
        make_plain(full.engine)
        at += step
    assert at > 25
    for engine in (side, other):
        engine.dispose()
