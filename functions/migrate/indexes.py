"""Indexes that are built while everybody goes on writing, once the migrations are over.

``CREATE INDEX CONCURRENTLY`` cannot run in the transaction of the migrations, which is all or nothing. So a revision only
says that an index of the models is wanted, by its name here; what is missing, or was left invalid by a build that was cut off, is
built by the next run. Until then queries give the same answers, more slowly.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

from logstats.models import Base

CONCURRENT: Final = ("daily_statistics_by_date", "log_objects_by_content")
LOCK = 0x6C6F6774  # any fixed number; concurrent deploys wait for each other
_PAUSE_SECONDS = 0.2
_NOT_NOW = {"55P03", "40P01"}  # lock_not_available, deadlock_detected

_VALID = sa.text(
    "SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE relname = :name AND relnamespace = 'public'::regnamespace"
)

_IS_PARTITIONED = sa.text("SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass(:table)")
_WITHOUT = sa.text("""
    SELECT partition::text FROM partitions_of(to_regclass(:table)) WHERE NOT EXISTS (
        SELECT FROM pg_inherits JOIN pg_index ON indexrelid = inhrelid
        WHERE inhparent = to_regclass(:name) AND indrelid = partition)
""")
"""Finds the partitions that are no part of an index yet."""


@contextmanager
def one_at_a_time(engine: sa.Engine) -> Iterator[sa.Connection]:
    """Yield a connection in autocommit, of one caller at a time, whose statements may take their time."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.detach()  # closed at the end: nobody else has these settings, or the lock
        connection.execute(sa.text("SET statement_timeout = 0"))  # a big table takes its time
        connection.execute(sa.text("SET lock_timeout = 0"))  # and so do the transactions that must end first
        # Whoever waited within a statement would have a snapshot, for whose end the build would wait.
        while not connection.scalar(sa.text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}):
            time.sleep(_PAUSE_SECONDS)
        yield connection


def with_short_locks(step: Callable[[], object]) -> None:
    """Try a step until it gets its locks, for which it waits an instant only: whoever comes after it waits as long."""
    while True:
        try:
            step()
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", None) not in _NOT_NOW:
                raise
            time.sleep(_PAUSE_SECONDS)
        else:
            return


def build(engine: sa.Engine) -> list[str]:
    """Build the indexes that are missing or invalid; return their names. One caller at a time does so."""
    wanted = [
        index
        for table in Base.metadata.tables.values()
        for index in table.indexes
        if index.name in CONCURRENT
    ]
    with one_at_a_time(engine) as connection:
        return [str(index.name) for index in wanted if _build(connection, index)]


def _build(connection: sa.Connection, index: sa.Index) -> bool:
    if connection.scalar(_VALID, {"name": index.name}):
        return False
    assert index.table is not None  # noqa: S101 - it is one of the models'
    statement = str(CreateIndex(index).compile(dialect=connection.dialect))
    opening, _, definition = statement.partition(f" ON {index.table.name} ")
    if not connection.scalar(_IS_PARTITIONED, {"table": index.table.name}):
        _build_one(connection, str(index.name), index.table.name, definition)
        return True
    # One partition after the other; the whole is valid as soon as all parts are.
    whole = f"{opening.replace(' INDEX ', ' INDEX IF NOT EXISTS ')} ON ONLY {index.table.name} {definition}"
    connection.execute(sa.text("SET lock_timeout = '200ms'"))
    with_short_locks(lambda: connection.execute(sa.text(whole)))
    connection.execute(sa.text("SET lock_timeout = 0"))
    for partition in connection.scalars(_WITHOUT, {"table": index.table.name, "name": index.name}).all():
        part = f"{index.name}{partition.removeprefix(index.table.name)}"
        _build_one(connection, part, partition, definition)
        connection.execute(sa.text(f"ALTER INDEX {index.name} ATTACH PARTITION {part}"))
    return True


def _build_one(connection: sa.Connection, name: str, table: str, definition: str) -> None:
    is_valid = connection.scalar(_VALID, {"name": name})
    if is_valid is False:
        connection.execute(sa.text(f"DROP INDEX CONCURRENTLY {name}"))
    if not is_valid:
        connection.execute(sa.text(f"CREATE INDEX CONCURRENTLY {name} ON {table} {definition}"))
