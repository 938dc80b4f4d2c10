"""Bring days up to date that are not only added to: something is subtracted, or the breakdown must be made anew.

They are few, and need more than sums: what is left of a day says its minimum and maximum, and which parts its breakdown keeps. Of days that
cannot be added up, this finds out why.
"""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import groupby, islice
from operator import itemgetter

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.orm import Session

from logstats import rows
from logstats.domain.summary import DailySummary
from logstats.models import Contribution, CustomerId, DailyStatistics, LogObject
from processor.ledger import recompute
from processor.ledger.arrays import packed
from processor.ledger.change import IS_CHANGED, TAKES_PART, Change
from processor.ledger.horizon import is_unsealed

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
_TO_MERGE = (
    sa.select(*rows.columns(Contribution, (*rows.KEY, "attempt_id", *rows.SUMMARY)))
    .where(
        IS_CHANGED,
        TAKES_PART,
        sa.tuple_(Contribution.customer_id, Contribution.date).in_(
            sa.select(*(sa.func.unnest(packed(Contribution, name)) for name in rows.KEY))
        ),
    )
    .order_by(Contribution.customer_id, Contribution.date, Contribution.attempt_id)
)


@dataclass(frozen=True, slots=True)
class Left:
    """Hold what counts of a day after a change: minimum and maximum, and the parts that all breakdowns keep (bits; 0: not all are there)."""

    extremes_us: tuple[int | None, int | None]
    parts: int


def apply(session: Session, change: Change, keys: Mapping[str, bytes]) -> None:
    """Apply a change to some days, as `processor.ledger.merge` does.

    The `keys` are two arrays in PostgreSQL's binary form, by the names of `rows.KEY`. A `ValueError` if it is impossible.
    """
    parameters = {**change.parameters, **keys}
    found = session.execute(_TO_MERGE, parameters, execution_options={"yield_per": _BATCH})
    days = (
        (key, [(row[2], rows.to_summary(row[3:])) for row in group])
        for key, group in groupby(found, key=lambda row: (row[0], row[1]))
    )
    while batch := list(islice(days, _BATCH)):
        _apply(session, batch, change.added)


def _apply(session: Session, batch: list[tuple[Key, Parts]], added: Sequence[int]) -> None:
    keys = [key for key, _ in batch]
    current, left = _current(session, keys), _left(session, keys)
    stale = {key for key, summary in current.items() if _is_stale(summary)}
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
        raise ValueError(f"{key}: fewer requests are stored than are to be subtracted")
    if total.total_requests == old.total_requests:
        return None
    if left is None:
        raise ValueError(f"{key}: requests are stored that no log object contributed")
    return total.subtract(old, left.extremes_us)


def _current(session: Session, keys: Sequence[Key]) -> dict[Key, DailySummary]:
    day = DailyStatistics
    found = session.execute(sa.select(day.customer_id, day.date, *rows.columns(day)).where(_among(day, keys)))
    return {(row[0], row[1]): rows.to_summary(row[2:]) for row in found}


def _left(session: Session, keys: Sequence[Key]) -> dict[Key, Left]:
    """Ask the contributions that count for what subtraction cannot tell."""
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
