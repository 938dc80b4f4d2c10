"""Bring the merged daily statistics up to date: add one attempt's contributions, subtract another's.

The caller's transaction holds the ledger row, has already pointed it at the new attempt, and commits. One module, though long: locks,
sums and the upsert are right only together.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import groupby, islice
from operator import itemgetter

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


def merge(session: Session, added: Sequence[int], removed: Sequence[int]) -> dict[int, int]:
    """Apply the contributions of attempts to the daily statistics, except those of closed days.

    The caller holds the stripes of the customers that they touch, and knows that what is removed can be subtracted. Return how many (customer, day)
    pairs of each added attempt count.
    """
    try:
        for batch in _batches(_contributions(session, added, removed)):
            _apply(session, batch, added)
    except ValueError as error:
        raise IntegrityError(f"stored summaries cannot be merged: {error}") from error
    found = {}
    if added:
        # Days that have no statistics yet are copied: nothing needs computing.
        session.connection().execute(_COPY_NEW_DAYS, {"added": list(added)})
        counts = session.connection().execute(_COUNT_DAYS, {"added": list(added)})
        found = {row.attempt_id: row.customer_days for row in counts}
    customers.refresh(session, added, removed)
    return {attempt: found.get(attempt, 0) for attempt in added}


def _has_statistics() -> sa.ColumnElement[bool]:
    return sa.exists().where(
        DailyStatistics.customer_id == Contribution.customer_id, DailyStatistics.date == Contribution.date
    )


_ADDED = sa.bindparam("added", type_=ARRAY(sa.BigInteger))
_ATTEMPTS = sa.bindparam("attempts", type_=ARRAY(sa.BigInteger))


def _comes_in_parts() -> sa.ColumnElement[bool]:
    other = aliased(Contribution)
    return sa.exists().where(
        other.attempt_id == sa.any_(_ADDED),
        other.customer_id == Contribution.customer_id,
        other.date == Contribution.date,
        sa.tuple_(other.attempt_id, other.part) != sa.tuple_(Contribution.attempt_id, Contribution.part),
    )


def _contributions(
    session: Session, added: Sequence[int], removed: Sequence[int]
) -> Iterator[tuple[Key, Parts]]:
    """Stream the contributions that must be merged, grouped by customer and day."""
    found = session.execute(
        _TO_MERGE,
        {"attempts": [*added, *removed], "added": list(added)},
        execution_options={"yield_per": _BATCH},
    )
    for key, group in groupby(found, key=lambda row: (row[0], row[1])):
        yield key, [(row[2], rows.to_summary(row[3:])) for row in group]


# Statements are made once: SQLAlchemy takes longer to put one together than PostgreSQL to answer it.
_COPY_NEW_DAYS = sa.insert(DailyStatistics).from_select(
    _COLUMNS,
    sa.select(*rows.columns(Contribution, _COLUMNS))
    .where(Contribution.attempt_id == sa.any_(_ADDED), is_open(Contribution.date), ~_has_statistics())
    .order_by(Contribution.customer_id, Contribution.date),
)
_COUNT_DAYS = (
    sa.select(
        Contribution.attempt_id,
        sa.func.count(sa.distinct(sa.tuple_(Contribution.customer_id, Contribution.date))).label(
            "customer_days"
        ),
    )
    .where(Contribution.attempt_id == sa.any_(_ADDED), is_open(Contribution.date))
    .group_by(Contribution.attempt_id)
)
_TO_MERGE = (
    sa.select(
        Contribution.customer_id, Contribution.date, Contribution.attempt_id, *rows.columns(Contribution)
    )
    .where(
        Contribution.attempt_id == sa.any_(_ATTEMPTS),
        takes_part(_ADDED),
        sa.or_(_has_statistics(), _comes_in_parts()),
    )
    .order_by(Contribution.customer_id, Contribution.date, Contribution.attempt_id, Contribution.part)
)


def _batches(items: Iterator[tuple[Key, Parts]]) -> Iterator[list[tuple[Key, Parts]]]:
    while batch := list(islice(items, _BATCH)):
        yield batch


def _apply(session: Session, batch: list[tuple[Key, Parts]], added: Sequence[int]) -> None:
    current = _current(session, [key for key, _ in batch])
    stale = {key for key, summary in current.items() if _is_stale(summary)}
    shrunk = [
        key for key, parts in batch if key in stale or any(attempt not in added for attempt, _ in parts)
    ]
    left = _left(session, shrunk)
    merged: dict[Key, DailySummary | None] = {}
    for key, parts in batch:
        new = _sum(part for part in parts if part[0] in added)
        old = _sum(part for part in parts if part[0] not in added)
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


def _sum(parts: Iterable[tuple[int, DailySummary]]) -> DailySummary | None:
    """Add what attempts contribute to a customer's day, each united from its parts, which come in the order of the attempts."""
    total = None
    for _, of_one in groupby(parts, itemgetter(0)):
        united = reduce(DailySummary.unite, (summary for _, summary in of_one))
        total = united if total is None else total + united
    return total
