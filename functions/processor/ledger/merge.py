"""Bring the merged daily statistics up to date: add one attempt's contributions, subtract another's.

The caller's transaction holds the ledger row, has already pointed it at the new attempt, and commits.
"""

import datetime as dt
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.orm import Session, aliased

from logstats.domain.histogram import LatencyHistogram
from logstats.domain.summary import DailySummary
from logstats.models import Contribution, CustomerId, DailyStatistics, LogObject, SummaryColumns
from processor.ledger import customers
from processor.ledger.horizon import is_open

Key = tuple[str, dt.date]
T = TypeVar("T")

STRIPES = 64
"""Locks that customers are spread over. Change it only while no processor runs: they must agree."""
_STRIPE_LOCKS = 0x6C6F6773  # "logs"
_BATCH = 2_000


class IntegrityError(Exception):
    """The tables contradict each other; nothing was changed."""


def merge(session: Session, added: int | None, removed: int | None) -> int:
    """Apply the contributions of attempts to the daily statistics, except those of closed days.

    From here on the retention horizon stays where it is until the transaction ends.

    Parameters
    ----------
    added, removed
        Attempts whose contributions are added and subtracted.

    Returns
    -------
    int
        The number of (customer, day) pairs of the added attempt that count.
    """
    attempts = [attempt for attempt in (added, removed) if attempt is not None]
    _lock_stripes(session, attempts)
    customer_days = 0
    try:
        for batch in _batches(_contributions(session, attempts)):
            customer_days += _apply(session, batch, added)
    except ValueError as error:
        raise IntegrityError(f"stored summaries cannot be merged: {error}") from error
    if added is not None:
        customer_days += _take_as_they_are(session, added)
    customers.refresh(session, added, removed)
    return customer_days


def _lock_stripes(session: Session, attempts: Sequence[int]) -> None:
    """Lock the stripes of the touched customers, in ascending order: no two transactions can wait for each other.

    A lock on rows would not do: the rows may not exist yet.
    """
    touched = sa.select(_stripe(Contribution.customer_id)).where(Contribution.attempt_id.in_(attempts))
    _lock(session, touched)


def lock_customers(session: Session, ids: Sequence[str]) -> None:
    """Lock the stripes of customers, as a commit does that touches them."""
    _lock(session, sa.select(_stripe(sa.func.unnest(sa.cast(ids, ARRAY(CustomerId))))))


def lock_all(session: Session) -> None:
    """Lock every stripe: no commit is under way then that touches any customer, and none begins."""
    _lock(session, sa.select(sa.func.generate_series(0, STRIPES - 1).label("stripe")))


def _stripe(customer_id: sa.ColumnElement[str] | sa.SQLColumnExpression[str]) -> sa.Label[int]:
    return (sa.func.hashtext(customer_id).op("&")(STRIPES - 1)).label("stripe")


def _lock(session: Session, stripes: sa.Select[int]) -> None:
    ordered = stripes.distinct().order_by("stripe").subquery()
    session.execute(sa.select(sa.func.pg_advisory_xact_lock(_STRIPE_LOCKS, ordered.c.stripe))).all()


def _take_as_they_are(session: Session, added: int) -> int:
    """Copy contributions to days that have no statistics yet; nothing needs computing. Return how many."""
    names = [column.name for column in DailyStatistics.__table__.columns]
    contributions = Contribution.__table__.columns
    new = sa.select(*(contributions[name] for name in names)).where(
        Contribution.attempt_id == added, is_open(Contribution.date), ~_has_statistics()
    )
    insertion = sa.insert(DailyStatistics).from_select(
        names, new.order_by(Contribution.customer_id, Contribution.date)
    )
    counted = {"preserve_rowcount": True}  # by default SQLAlchemy reads it for UPDATE and DELETE only
    return session.connection().execute(insertion, execution_options=counted).rowcount


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
    session: Session, attempts: Sequence[int]
) -> Iterator[tuple[Key, list[tuple[int, DailySummary]]]]:
    """Stream the contributions that must be merged, grouped by customer and day: attempt and partial summary."""
    rows = session.execute(
        sa.select(
            Contribution.customer_id, Contribution.date, Contribution.attempt_id, *_summary(Contribution)
        )
        .where(
            Contribution.attempt_id.in_(attempts),
            is_open(Contribution.date),
            sa.or_(_has_statistics(), _comes_in_parts()),
        )
        .order_by(Contribution.customer_id, Contribution.date),
        execution_options={"yield_per": _BATCH},
    )
    for key, group in groupby(rows, key=lambda row: (row[0], row[1])):
        yield key, [(row[2], _from_row(row[3:])) for row in group]


def _batches(items: Iterable[T]) -> Iterator[list[T]]:
    batch: list[T] = []
    for item in items:
        batch.append(item)
        if len(batch) == _BATCH:
            yield batch
            batch = []
    if batch:
        yield batch


def _apply(
    session: Session, batch: list[tuple[Key, list[tuple[int, DailySummary]]]], added: int | None
) -> int:
    keys = [key for key, _ in batch]
    current = _current(session, keys)
    shrunk = [key for key, parts in batch if any(attempt != added for attempt, _ in parts)]
    extremes = _extremes(session, shrunk)
    upserts, deletes, customer_days = [], [], 0
    for key, parts in batch:
        new = _total(summary for attempt, summary in parts if attempt == added)
        old = _total(summary for attempt, summary in parts if attempt != added)
        customer_days += new is not None
        merged = _merged(key, current.get(key), new, old, extremes.get(key))
        if merged is None:
            deletes.append(key)
        else:
            upserts.append(_to_row(key, merged))
    if deletes:
        session.execute(sa.delete(DailyStatistics).where(_among(DailyStatistics, deletes)))
    if upserts:
        statement = insert(DailyStatistics)
        new_values = {
            name: statement.excluded[name] for name in upserts[0] if name not in ("customer_id", "date")
        }
        session.connection().execute(
            statement.on_conflict_do_update(index_elements=["customer_id", "date"], set_=new_values), upserts
        )
    return customer_days


def _merged(
    key: Key,
    current: DailySummary | None,
    new: DailySummary | None,
    old: DailySummary | None,
    extremes: tuple[int, int] | None,
) -> DailySummary | None:
    """Return current + new - old, or None if nothing is left."""
    total = current if new is None else new if current is None else current + new
    if old is None:
        return total
    if total is None or total.total_requests < old.total_requests:
        raise IntegrityError(f"{key}: fewer requests are stored than are to be subtracted")
    if total.total_requests == old.total_requests:
        return None
    if extremes is None:
        raise IntegrityError(f"{key}: requests are stored that no log object contributed")
    return DailySummary(
        total.total_requests - old.total_requests,
        total.client_errors - old.client_errors,
        total.server_errors - old.server_errors,
        total.duration_sum_us - old.duration_sum_us,
        *extremes,
        total.histogram - old.histogram,
    )


def _current(session: Session, keys: Sequence[Key]) -> dict[Key, DailySummary]:
    rows = session.execute(
        sa.select(DailyStatistics.customer_id, DailyStatistics.date, *_summary(DailyStatistics)).where(
            _among(DailyStatistics, keys)
        )
    )
    return {(row[0], row[1]): _from_row(row[2:]) for row in rows}


def _extremes(session: Session, keys: Sequence[Key]) -> dict[Key, tuple[int, int]]:
    """Minimum and maximum cannot be subtracted: take them from the contributions that count."""
    if not keys:
        return {}
    rows = session.execute(
        sa.select(
            Contribution.customer_id,
            Contribution.date,
            sa.func.min(Contribution.duration_min_us),
            sa.func.max(Contribution.duration_max_us),
        )
        .join(LogObject, LogObject.attempt_id == Contribution.attempt_id)
        .where(_among(Contribution, keys))
        .group_by(Contribution.customer_id, Contribution.date)
    )
    return {(row[0], row[1]): (row[2], row[3]) for row in rows}


def _among(table: type[Contribution | DailyStatistics], keys: Sequence[Key]) -> sa.ColumnElement[bool]:
    """Whether a row's customer and day are among the keys, which travel as two arrays."""
    wanted = sa.select(
        sa.func.unnest(sa.cast([customer for customer, _ in keys], ARRAY(CustomerId))),
        sa.func.unnest(sa.cast([date for _, date in keys], ARRAY(sa.Date))),
    )
    return sa.tuple_(table.customer_id, table.date).in_(wanted)


def _summary(table: type[SummaryColumns]) -> tuple[Any, ...]:
    return (
        table.total_requests,
        table.client_errors,
        table.server_errors,
        table.duration_sum_us,
        table.duration_min_us,
        table.duration_max_us,
        table.histogram,
    )


def _from_row(values: Sequence[Any]) -> DailySummary:
    total, client, server, duration_sum, least, most, histogram = values
    return DailySummary(total, client, server, int(duration_sum), least, most, LatencyHistogram(histogram))


def _to_row(key: Key, summary: DailySummary) -> dict[str, object]:
    p50, p90, p95, p99 = summary.percentiles_us()
    return {
        "customer_id": key[0],
        "date": key[1],
        "total_requests": summary.total_requests,
        "client_errors": summary.client_errors,
        "server_errors": summary.server_errors,
        "duration_sum_us": summary.duration_sum_us,
        "duration_min_us": summary.duration_min_us,
        "duration_max_us": summary.duration_max_us,
        "histogram": summary.histogram.encoded,
        "duration_p50_us": p50,
        "duration_p90_us": p90,
        "duration_p95_us": p95,
        "duration_p99_us": p99,
    }


def _total(summaries: Iterable[DailySummary]) -> DailySummary | None:
    total = None
    for summary in summaries:
        total = summary if total is None else total + summary
    return total
