"""Partition contributions and daily statistics by month while everybody goes on writing, once the migrations are over.

A table that has rows becomes one partition, `..._before`, for all days before a cut-off: the month after next, to which nobody writes
yet, or a later one if there are rows of later days, as of a file whose time of modification is wrong. That its rows are before the
cut-off is checked without a lock that others wait for, so that attaching the table needs no look at them, and rewrites none. Each step
is a transaction: a run that was cut off anywhere is done again from the start by the next.
"""

import datetime as dt
from collections.abc import Callable
from functools import partial
from typing import Final

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

from logstats.models import Base
from migrate import grants
from migrate.indexes import one_at_a_time, with_short_locks
from migrate.revision import IS_PARTITIONED, MIGRATION_LOCK

TABLES: Final = {name: Base.metadata.tables[name] for name in ("contributions", "daily_statistics")}
"""In the order in which a commit locks them."""
_CHECK = "before_cut_off"
_MONTHS_AHEAD = 3
_CUT_OFF = sa.text(
    "SELECT substring(pg_get_constraintdef(oid) FROM '[0-9]{4}-[0-9]{2}-[0-9]{2}')::date FROM pg_constraint"
    " WHERE conrelid = to_regclass(:name) AND conname = :check"
).bindparams(check=_CHECK)
_NEWEST = sa.select(
    sa.func.greatest(
        sa.bindparam("at_least", type_=sa.Date),
        *(sa.select(sa.func.max(table.c.date)).scalar_subquery() for table in TABLES.values()),
    )
)
"""Finds the newest day of all rows, staged ones among them."""
_INDEXES = sa.text("SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = CAST(:name AS regclass)")


def build(engine: sa.Engine) -> bool:
    """Partition the tables unless they are; return whether they were not. The indexes of the models must be there."""
    with one_at_a_time(engine) as alone:
        if alone.scalar(IS_PARTITIONED):
            return False
        today: dt.date = alone.execute(sa.text("SELECT (now() AT TIME ZONE 'UTC')::date")).scalar_one()
        months = _months(today, 2 + _MONTHS_AHEAD)
        newest: dt.date = alone.execute(_NEWEST, {"at_least": months[1]}).scalar_one()
        for name in TABLES:
            _in_short_transaction(engine, partial(_constrain, name=name, newest=newest))
            alone.execute(sa.text(f"ALTER TABLE {name} VALIDATE CONSTRAINT {_CHECK}"))
        _in_short_transaction(engine, partial(_swap, months=months))
        return True


def _months(day: dt.date, count: int) -> list[dt.date]:
    """Return the first days of a day's month and of as many after it."""
    first = day.year * 12 + day.month - 1
    return [dt.date(number // 12, number % 12 + 1, 1) for number in range(first, first + count + 1)]


def _in_short_transaction(engine: sa.Engine, step: Callable[[sa.Connection], None]) -> None:
    """Run a step that locks everybody out for an instant."""

    def run() -> None:
        with engine.begin() as connection:
            connection.execute(sa.text("SET LOCAL lock_timeout = '200ms'"))
            step(connection)

    with_short_locks(run)


def _constrain(connection: sa.Connection, name: str, newest: dt.date) -> None:
    """Refuse rows that are not before the cut-off from now on; keep the constraint of an earlier run, unless it is an old one."""
    found = connection.scalar(_CUT_OFF, {"name": name})
    if found is None or found <= newest:
        connection.execute(sa.text(f"ALTER TABLE {name} DROP CONSTRAINT IF EXISTS {_CHECK}"))
        check = (
            f"ALTER TABLE {name} ADD CONSTRAINT {_CHECK} CHECK (date < '{_months(newest, 1)[1]}') NOT VALID"
        )
        connection.execute(sa.text(check))


def _swap(connection: sa.Connection, months: list[dt.date]) -> None:
    """Put a partitioned table in the place of each table. Tables without a row are dropped, the others become partitions."""
    connection.execute(
        sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK}
    )  # as others grant
    connection.execute(sa.text(f"LOCK TABLE {', '.join(TABLES)} IN ACCESS EXCLUSIVE MODE"))
    has_rows = [connection.scalar(sa.select(sa.exists().select_from(table))) for table in TABLES.values()]
    for name, table in TABLES.items():
        before, cut_off = f"{name}_before", connection.scalar(_CUT_OFF, {"name": name})
        for index in connection.scalars(_INDEXES, {"name": name}).all():
            connection.execute(sa.text(f"ALTER INDEX {index} RENAME TO {index}_before"))
        connection.execute(sa.text(f"ALTER TABLE {name} RENAME TO {before}"))
        columns = f"(LIKE {before} INCLUDING ALL EXCLUDING INDEXES EXCLUDING CONSTRAINTS)"
        connection.execute(sa.text(f"CREATE TABLE {name} {columns} PARTITION BY RANGE (date)"))
        key = ", ".join(column.name for column in table.primary_key)
        connection.execute(sa.text(f"ALTER TABLE {name} ADD PRIMARY KEY ({key})"))
        for index in table.indexes:
            connection.execute(CreateIndex(index))
        if any(has_rows):
            bounds = f"FOR VALUES FROM (MINVALUE) TO ('{cut_off}')"
            connection.execute(sa.text(f"ALTER TABLE {name} ATTACH PARTITION {before} {bounds}"))
            connection.execute(sa.text(f"ALTER TABLE {before} DROP CONSTRAINT {_CHECK}"))
        else:
            connection.execute(sa.text(f"DROP TABLE {before}"))
    if any(has_rows):
        connection.execute(sa.text("SELECT make_partitions(:days)"), {"days": months[1:]})
    grants.apply(connection)
