"""Bring the merged daily statistics up to date: add one attempt's contributions, subtract another's.

The caller's transaction holds the ledger row, has already pointed it at the new attempt, and commits. One module, though long: locks,
sums and the upsert are right only together.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, islice

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.orm import Session, aliased

from logstats import rows
from logstats.domain.summary import DailySummary
from logstats.models import Contribution, CustomerId, DailyStatistics, LogObject
from processor.ledger import customers, recompute
from processor.ledger.horizon import is_open, is_unsealed, takes_part

Key = tuple[str, dt.date]
Parts = list[tuple[int, DailySummary]]
"""Contributions to one customer's day: attempt and partial summary."""

_BATCH = 500
"""Customer days at a time, which are in memory with three breakdowns each."""
_COLUMNS = (*rows.KEY, *rows.COLUMNS)
_INSERTION = insert(DailyStatistics)
_UPSERT = str(
    _INSERTION.on_conflict_do_update(
        index_elements=rows.KEY, set_={name: _INSERTION.excluded[name] for name in rows.COLUMNS}
    ).compile(dialect=PGDialect_psycopg(paramstyle="format"), column_keys=_COLUMNS)  # type: ignore[no-untyped-call]  # SQLAlchemy's
)
"""Takes tuples of `_COLUMNS`. It is text, because SQLAlchemy's own parameters cost more for each row than the rest."""


@dataclass(frozen=True, slots=True)
class Left:
    """Hold what counts of a day after a change: minimum and maximum, and the parts that all breakdowns keep (bits; 0: not all are there)."""

    extremes_us: tuple[int | None, int | None]
    parts: int


class IntegrityError(Exception):
    """The tables contradict each other; nothing was changed."""


def merge(session: Session, added: int | None, removed: int | None) -> int:
    """Apply the contributions of attempts to the daily statistics, except those of closed days.

    The caller holds the stripes of the customers that they touch, and knows that what is removed can be subtracted. Return how many (customer, day)
    pairs of the added attempt count.
    """
    attempts = [attempt for attempt in (added, removed) if attempt is not None]
    customer_days = 0
    try:
        for batch in _batches(_contributions(session, attempts, added)):
            customer_days += _apply(session, batch, added)
    except ValueError as error:
        raise IntegrityError(f"stored summaries cannot be merged: {error}") from error
    if added is not None:
        customer_days += _copy_new_days(session, added)
    customers.refresh(session, added, removed)
    return customer_days


def _copy_new_days(session: Session, added: int) -> int:
    """Copy contributions to days that have no statistics yet; nothing needs computing. Return how many."""
    counted = {"preserve_rowcount": True}  # by default SQLAlchemy reads it for UPDATE and DELETE only
    return session.connection().execute(_COPY_NEW_DAYS, {"added": added}, execution_options=counted).rowcount


def _has_statistics() -> sa.ColumnElement[bool]:
    return sa.exists().where(
        DailyStatistics.customer_id == Contribution.customer_id, DailyStatistics.date == Contribution.date
    )


def _comes_in_parts() -> sa.ColumnElement[bool]:
    other = aliased(Contribution)
    return sa.exists().where(
        other.attempt_id == Contribution.attempt_id,
        other.customer_id == Contribution.customer_id,
        other.date == Contribution.date,
        other.part != Contribution.part,
    )


def _contributions(
    session: Session, attempts: Sequence[int], added: int | None
) -> Iterator[tuple[Key, Parts]]:
    """Stream the contributions that must be merged, grouped by customer and day."""
    found = session.execute(
        _TO_MERGE, {"attempts": attempts, "added": added}, execution_options={"yield_per": _BATCH}
    )
    for key, group in groupby(found, key=lambda row: (row[0], row[1])):
        yield key, [(row[2], rows.to_summary(row[3:])) for row in group]


# Statements are made once: SQLAlchemy takes longer to put one together than PostgreSQL to answer it.
_COPY_NEW_DAYS = sa.insert(DailyStatistics).from_select(
    _COLUMNS,
    sa.select(*rows.columns(Contribution, _COLUMNS))
    .where(Contribution.attempt_id == sa.bindparam("added"), is_open(Contribution.date), ~_has_statistics())
    .order_by(Contribution.customer_id, Contribution.date),
)
_TO_MERGE = (
    sa.select(
        Contribution.customer_id, Contribution.date, Contribution.attempt_id, *rows.columns(Contribution)
    )
    .where(
        Contribution.attempt_id.in_(sa.bindparam("attempts", expanding=True)),
        takes_part(sa.bindparam("added", type_=sa.BigInteger)),
        sa.or_(_has_statistics(), _comes_in_parts()),
    )
    .order_by(Contribution.customer_id, Contribution.date)
)


def _batches(items: Iterator[tuple[Key, Parts]]) -> Iterator[list[tuple[Key, Parts]]]:
    while batch := list(islice(items, _BATCH)):
        yield batch


def _apply(session: Session, batch: list[tuple[Key, Parts]], added: int | None) -> int:
    current = _current(session, [key for key, _ in batch])
    stale = {key for key, summary in current.items() if _is_stale(summary)}
    shrunk = [key for key, parts in batch if key in stale or any(attempt != added for attempt, _ in parts)]
    left = _left(session, shrunk)
    merged: dict[Key, DailySummary | None] = {}
    customer_days = 0
    for key, parts in batch:
        new = _united(summary for attempt, summary in parts if attempt == added)
        old = _united(summary for attempt, summary in parts if attempt != added)
        customer_days += new is not None
        known = current.get(key)
        if known and key in stale:
            known = replace(known, breakdown=None)
        merged[key] = _merged(key, known, new, old, left.get(key))
    _restore_breakdowns(session, merged, left)
    deletes = [key for key, summary in merged.items() if summary is None]
    upserts = [key + rows.from_summary(summary) for key, summary in merged.items() if summary]
    if deletes:
        session.execute(sa.delete(DailyStatistics).where(_among(DailyStatistics, deletes)))
    if upserts:
        session.connection().exec_driver_sql(_UPSERT, upserts)
    return customer_days


def _is_stale(summary: DailySummary) -> bool:
    """Tell whether code from before the breakdown has changed the day's other columns."""
    return summary.breakdown is not None and summary.breakdown.total_requests != summary.total_requests


def _restore_breakdowns(
    session: Session, merged: dict[Key, DailySummary | None], left: Mapping[Key, Left]
) -> None:
    """Make breakdowns anew of days whose contributions keep more than was known as long as others counted."""
    wanted = {
        key: summary
        for key, summary in merged.items()
        if summary
        and key in left
        and left[key].parts != (summary.breakdown.parts if summary.breakdown else 0)
    }
    if wanted:
        made = recompute.breakdowns(session, _among(Contribution, list(wanted)))
        merged |= {key: replace(summary, breakdown=made.get(key)) for key, summary in wanted.items()}


def _merged(
    key: Key,
    current: DailySummary | None,
    new: DailySummary | None,
    old: DailySummary | None,
    left: Left | None,
) -> DailySummary | None:
    """Return current + new - old, or None if nothing is left."""
    total = current if new is None else new if current is None else current + new
    if old is None:
        return total
    if total is None or total.total_requests < old.total_requests:
        raise IntegrityError(f"{key}: fewer requests are stored than are to be subtracted")
    if total.total_requests == old.total_requests:
        return None
    if left is None:
        raise IntegrityError(f"{key}: requests are stored that no log object contributed")
    return total.subtract(old, left.extremes_us)


def _current(session: Session, keys: Sequence[Key]) -> dict[Key, DailySummary]:
    day = DailyStatistics
    found = session.execute(sa.select(day.customer_id, day.date, *rows.columns(day)).where(_among(day, keys)))
    return {(row[0], row[1]): rows.to_summary(row[2:]) for row in found}


def _left(session: Session, keys: Sequence[Key]) -> dict[Key, Left]:
    """Ask the contributions that count for what subtraction cannot tell."""
    if not keys:
        return {}
    kept = sa.func.get_byte(sa.func.substring(Contribution.breakdown, 1, 2), 1)
    found = session.execute(
        sa.select(
            Contribution.customer_id,
            Contribution.date,
            sa.func.min(Contribution.duration_min_us),
            sa.func.max(Contribution.duration_max_us),
            sa.func.bit_and(sa.func.coalesce(kept, 0)),
        )
        .join(LogObject, LogObject.attempt_id == Contribution.attempt_id)
        .where(_among(Contribution, keys), is_unsealed(Contribution.date))
        .group_by(Contribution.customer_id, Contribution.date)
    )
    return {(row[0], row[1]): Left((row[2], row[3]), row[4]) for row in found}


def _among(table: type[Contribution | DailyStatistics], keys: Sequence[Key]) -> sa.ColumnElement[bool]:
    """Compare a row's customer and day with the keys, which travel as two arrays."""
    wanted = sa.select(
        sa.func.unnest(sa.cast([customer for customer, _ in keys], ARRAY(CustomerId))),
        sa.func.unnest(sa.cast([date for _, date in keys], ARRAY(sa.Date))),
    )
    return sa.tuple_(table.customer_id, table.date).in_(wanted)


def _united(summaries: Iterable[DailySummary]) -> DailySummary | None:
    """Unite the parts of what one attempt contributes to a customer's day."""
    total = None
    for summary in summaries:
        total = summary if total is None else total.unite(summary)
    return total
