"""Indexes that are built while everybody goes on writing."""

import threading

import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import CreateIndex

from logstats.models import Base
from migrate import indexes, schema
from tests import tables

DAY = (
    "INSERT INTO daily_statistics (customer_id, date, total_requests, client_errors, server_errors, duration_sum_us, histogram)"
    " VALUES ('{}', '2024-09-03', 1, 0, 0, 0, '\\x01')"
)
OBJECT = (
    "INSERT INTO log_objects (bucket, key, confirmed_current, lines, accepted, rejected, rejected_by_reason, customer_days)"
    " VALUES ('b', '{}', false, 0, 0, 0, '{{}}', 0)"
)
ROWS = {"daily_statistics_by_date": DAY, "log_objects_by_content": OBJECT}
BY_DATE = str(
    next(
        CreateIndex(index).compile(dialect=postgresql.dialect())  # type: ignore[no-untyped-call]  # SQLAlchemy's
        for index in Base.metadata.tables["daily_statistics"].indexes
    )
).partition(" daily_statistics ")[2]
VALID = sa.text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")


def is_valid(engine: sa.Engine, name: str) -> bool | None:
    with engine.connect() as connection:
        found: bool | None = connection.scalar(VALID, {"name": name})
        return found


@pytest.mark.parametrize("name", indexes.CONCURRENT)
def test_others_write_while_an_index_is_built(engine: sa.Engine, name: str) -> None:
    """A build waits for the transactions that began before it, and nobody waits for the build."""
    with engine.begin() as connection:
        connection.execute(sa.text(f"DROP INDEX {name}"))
    with engine.connect() as before:
        before.execute(sa.text(ROWS[name].format("before")))
        build = threading.Thread(target=schema.upgrade, args=(engine,))
        build.start()
        tables.wait_for_waiting(engine, 1)
        with engine.begin() as meanwhile:
            meanwhile.execute(sa.text("SET LOCAL lock_timeout = '1s'"))
            meanwhile.execute(sa.text(ROWS[name].format("meanwhile")))
        assert not is_valid(engine, name)
        before.commit()
        build.join()
    assert is_valid(engine, name)


CUT_OFF = {
    "log_objects_by_content": "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'log_objects_by_content'::regclass",
    "daily_statistics_by_date": (
        "DROP INDEX daily_statistics_by_date;"
        "CREATE INDEX daily_statistics_by_date ON ONLY daily_statistics (date) INCLUDE (customer_id);"
        "CREATE INDEX daily_statistics_by_date_2024_09 ON daily_statistics_2024_09 (date) INCLUDE (customer_id);"
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'daily_statistics_by_date_2024_09'::regclass"
    ),
}


@pytest.mark.parametrize("name", indexes.CONCURRENT)
def test_an_index_whose_build_was_cut_off_is_built_anew_and_a_valid_one_is_not(
    engine: sa.Engine, name: str
) -> None:
    with engine.begin() as connection:
        for statement in CUT_OFF[name].replace("(date) INCLUDE (customer_id)", BY_DATE).split(";"):
            connection.execute(sa.text(statement))
    assert indexes.build(engine) == [name]
    assert is_valid(engine, name)
    assert indexes.build(engine) == []


def test_who_builds_waits_for_another_who_does(engine: sa.Engine) -> None:
    with engine.connect() as other:
        other.execute(sa.text("SELECT pg_advisory_lock(:lock)"), {"lock": indexes.LOCK})
        builder = threading.Thread(target=indexes.build, args=(engine,))
        builder.start()
        builder.join(0.5)
        assert builder.is_alive()
        other.execute(sa.text("SELECT pg_advisory_unlock(:lock)"), {"lock": indexes.LOCK})
        builder.join()
