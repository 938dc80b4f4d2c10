"""Bring the merged daily statistics up to date: add attempts' contributions, subtract others'.

The caller's transaction holds the ledger rows, has already pointed them at the new attempts, and commits. The kernel adds to statistics, as
binary rows that never become Python's; days from which something is subtracted are `processor.ledger.subtraction`'s.
"""

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.orm import Session

from logstats import native, rows
from logstats.models import Contribution, DailyStatistics
from processor.ledger import customers, subtraction
from processor.ledger.arrays import packed
from processor.ledger.change import (
    ADDED,
    ENCODED_BYTES,
    IS_CHANGED,
    IS_OPEN,
    TAKES_PART,
    Change,
    IntegrityError,
)

_PAGE_BYTES = 16 << 20
"""Of contributions at a time; the statistics of their days have about as many."""
_SORT_MEMORY = "128MB"
"""Lets PostgreSQL sort as much in memory: the rows of a million customers otherwise go through its disk three times."""
_HEADER_BYTES = 19
"""Of COPY ... (FORMAT BINARY): a signature, flags and the length of an extension, of which there is none."""
_COLUMNS = (*rows.KEY, *rows.COLUMNS)


def merge(session: Session, change: Change) -> dict[int, int]:
    """Apply the contributions of a change to the daily statistics, except those of closed days.

    The caller knows that what is removed can be subtracted. Return how many (customer, day) pairs of each added attempt count.
    """
    connection, parameters = session.connection(), change.parameters
    connection.execute(_SORTING)
    customer_days = {attempt: sum(day.rows for day in change.open_days(attempt)) for attempt in change.added}
    try:
        for first, end in _pages(connection, change):
            page = parameters | {"first": first, "end": end}
            merged = native.merge_rows(b"".join(_copied(connection, page))[_HEADER_BYTES:], change.added)
            if merged.days:
                connection.execute(_UPSERT, dict(zip(_COLUMNS, merged.columns, strict=True)))
            if any(merged.postponed):
                subtraction.apply(session, change, dict(zip(rows.KEY, merged.postponed, strict=True)))
            for attempt, repeated in zip(change.added, merged.repeated, strict=True):
                customer_days[attempt] -= repeated
    except ValueError as error:
        raise IntegrityError(f"stored summaries cannot be merged: {error}") from error
    if change.added:
        connection.execute(_COPY_NEW_DAYS, parameters)  # of days without statistics: nothing needs computing
    customers.refresh(session, change)
    return customer_days


def _pages(connection: sa.Connection, change: Change) -> Iterator[tuple[str, str | None]]:
    """Yield the customers from which a page goes, and up to which; None: to the last one."""
    firsts = [""]
    if change.bytes > _PAGE_BYTES:
        firsts += connection.scalars(_FIRSTS, change.parameters | {"page_bytes": _PAGE_BYTES}).all()[1:]
    return zip(firsts, [*firsts[1:], None], strict=True)


def _copied(connection: sa.Connection, page: dict[str, Any]) -> Iterator[bytes]:
    """Yield the rows that must be merged of a page, in pieces, behind a header."""
    driver: Any = connection.connection.driver_connection
    with driver.cursor() as cursor, cursor.copy(_COPY, page) as copy:
        yield from copy


# Statements are made once: SQLAlchemy takes longer to put one together than PostgreSQL to answer it.
_SORTING = sa.select(sa.func.set_config("work_mem", _SORT_MEMORY, True))  # noqa: FBT003 - this transaction only
_FIRST, _END = (sa.bindparam(name, type_=sa.Text) for name in ("first", "end"))
_numbered = (
    sa.select(
        Contribution.customer_id,
        (ENCODED_BYTES.over(order_by=Contribution.customer_id) // sa.bindparam("page_bytes")).label("page"),
    )
    .where(IS_CHANGED)
    .subquery()
)
_FIRSTS = (
    sa.select(sa.func.min(_numbered.c.customer_id)).group_by(_numbered.c.page).order_by(_numbered.c.page)
)
"""The first customer of each page; the contributions of a customer are all in one."""
# No bound on the days below: PostgreSQL would expect a single row, and join without the index, which takes twenty times as long.
# How many contributions a day gets: with a window, since a look for each row costs as much as all else.
_times = sa.func.count().filter(Contribution.attempt_id == sa.any_(ADDED))
_changed = (
    sa.select(
        *rows.columns(Contribution, ("attempt_id", *rows.KEY, *rows.SUMMARY)),
        _times.over(partition_by=rows.columns(Contribution, rows.KEY)).label("times"),
    )
    .where(
        IS_CHANGED,
        TAKES_PART,
        Contribution.customer_id >= _FIRST,
        sa.or_(_END.is_(None), Contribution.customer_id < _END),
    )
    .subquery()
)
_TO_MERGE = (
    sa.select(*[each for each in _changed.c if each.name != "times"], *rows.columns(DailyStatistics))
    .join_from(
        _changed,
        DailyStatistics,
        sa.and_(
            DailyStatistics.customer_id == _changed.c.customer_id, DailyStatistics.date == _changed.c.date
        ),
        isouter=True,
    )
    .where(sa.or_(DailyStatistics.date.is_not(None), _changed.c.times > sa.literal_column("1")))
    .order_by(_changed.c.customer_id, _changed.c.date, _changed.c.attempt_id)
)
_COPY = f"COPY ({_TO_MERGE.compile(dialect=PGDialect_psycopg())}) TO STDOUT (FORMAT BINARY)"  # type: ignore[no-untyped-call]  # SQLAlchemy's
_upsert = insert(DailyStatistics).from_select(
    _COLUMNS, sa.select(*(sa.func.unnest(packed(DailyStatistics, name)) for name in _COLUMNS))
)
_UPSERT = _upsert.on_conflict_do_update(
    index_elements=rows.KEY, set_={name: _upsert.excluded[name] for name in rows.COLUMNS}
)
# In the order of an index, in which nothing needs sorting: the rows of a million customers do not fit into the memory for it.
_added = (
    sa.select(*rows.columns(Contribution, _COLUMNS))
    .where(IS_CHANGED, IS_OPEN, Contribution.attempt_id == sa.any_(ADDED))
    .order_by(Contribution.attempt_id, Contribution.customer_id, Contribution.date)
    .subquery()
)
_COPY_NEW_DAYS = sa.insert(DailyStatistics).from_select(
    _COLUMNS,
    sa.select(_added).where(
        ~sa.exists().where(
            DailyStatistics.customer_id == _added.c.customer_id, DailyStatistics.date == _added.c.date
        )
    ),
)
