"""Indexes that are built while everybody goes on writing, once the migrations are over.

``CREATE INDEX CONCURRENTLY`` cannot run in the transaction of the migrations, which is all or nothing. So a revision only
says that an index of the models is wanted, by its name here; what is missing, or was left invalid by a build that was cut off, is
built by the next run. Until then queries give the same answers, more slowly.
"""

import time
from typing import Final

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

from logstats.models import Base

CONCURRENT: Final = ("daily_statistics_by_date", "log_objects_by_content")
LOCK = 0x6C6F6774  # any fixed number; concurrent deploys wait for each other
_PAUSE_SECONDS = 0.2

_VALID = sa.text(
    "SELECT indisvalid FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid"
    " WHERE relname = :name AND relnamespace = 'public'::regnamespace"
)


def build(engine: sa.Engine) -> list[str]:
    """Build the indexes that are missing or invalid; return their names. One caller at a time does so."""
    wanted = [
        index
        for table in Base.metadata.tables.values()
        for index in table.indexes
        if index.name in CONCURRENT
    ]
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.detach()  # closed at the end: nobody else has these settings, or the lock
        connection.execute(sa.text("SET statement_timeout = 0"))  # a big table takes its time
        connection.execute(sa.text("SET lock_timeout = 0"))  # and so do the transactions that must end first
        # Whoever waited within a statement would have a snapshot, for whose end the build would wait.
        while not connection.scalar(sa.text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK}):
            time.sleep(_PAUSE_SECONDS)
        return [str(index.name) for index in wanted if _build(connection, index)]


def _build(connection: sa.Connection, index: sa.Index) -> bool:
    is_valid = connection.scalar(_VALID, {"name": index.name})
    if is_valid:
        return False
    if is_valid is not None:
        connection.execute(sa.text(f"DROP INDEX CONCURRENTLY {index.name}"))
    statement = str(CreateIndex(index).compile(dialect=connection.dialect))
    connection.execute(sa.text(statement.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1)))
    return True
