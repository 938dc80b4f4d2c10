"""Retention: close the days that are too old, then remove what is stored of them (docs/decisions/0007).

The horizon advances first, under the locks of all customers. Nothing that is behind it changes any more, so the removal
goes on in transactions of its own, each short, and each leaving the tables consistent. A customer whose `first_date` is
behind the horizon is what is left to do: a run that was cut off anywhere leaves it to the next one.
"""

import datetime as dt
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session, aliased

from logstats.models import Contribution, Customer, CustomerId, DailyStatistics, LogObject, Retention
from processor.ledger import customers, stripes

_CUSTOMERS = 500
"""Of a batch; its transactions lock their stripes."""
_ROWS = 2_000
"""Deleted by one transaction at the most, of each table: some ten milliseconds, in which commits wait."""

Progress = Callable[[int], None]


class RetentionError(Exception):
    """The horizon cannot be put there; the message is for people."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """Count what a run has removed, or would remove: rows before the `horizon`, and `customers` that have no day left."""

    horizon: dt.date
    customer_days: int = 0
    contributions: int = 0
    customers: int = 0
    finished: bool = True

    def __add__(self, other: "Expiry") -> "Expiry":
        """Add what a transaction has removed; whether that was all is known only at the end."""
        return Expiry(
            self.horizon,
            self.customer_days + other.customer_days,
            self.contributions + other.contributions,
            self.customers + other.customers,
            other.finished,
        )

    def as_dict(self) -> dict[str, object]:
        """Return the fields in their order, the date as ISO 8601."""
        return asdict(self) | {"horizon": self.horizon.isoformat()}


def horizon_of(engine: sa.Engine, days: int) -> dt.date:
    """Return the first day that stays if days older than so many are removed; the database's clock says today."""
    return _today(engine) - dt.timedelta(days)


def current_horizon(engine: sa.Engine) -> dt.date:
    """Return the first day that is open; 1970-01-01, the first that a log line can have, when none was ever closed."""
    with Session(engine) as session:
        return session.scalars(sa.select(Retention.horizon)).one()


def expire(
    engine: sa.Engine, horizon: dt.date, *, until: float | None = None, progress: Progress = lambda _: None
) -> Expiry:
    """Close the days before a horizon, and remove what is stored of them, until `time.monotonic()` says so.

    A horizon never returns: one that is behind the current one only lets the run finish what others have left. One in the
    future is a `RetentionError`: it would close days to which lines are still to come. `progress` takes the number of
    daily statistics just removed.
    """
    _advance(engine, horizon)
    total = Expiry(current_horizon(engine))
    for batch in _batches(engine, total.horizon):
        while True:
            if until is not None and time.monotonic() > until:
                return total + Expiry(total.horizon, finished=False)
            removed = _remove(engine, batch, total.horizon)
            total += removed
            progress(removed.customer_days)
            if removed.finished:
                break
    return total


def preview(engine: sa.Engine, horizon: dt.date) -> Expiry:
    """Return what `expire` would remove, or raise the same error; nothing is changed."""
    _check(engine, horizon)
    total = Expiry(max(horizon, current_horizon(engine)))
    for batch in _batches(engine, total.horizon):
        with Session(engine) as session:
            gone = sa.select(Customer.customer_id).where(
                Customer.customer_id.in_(batch), Customer.last_date < total.horizon
            )
            days, contributions, customers_ = (
                session.scalars(sa.select(sa.func.count()).select_from(rows.subquery())).one()
                for rows in (_days_of(batch, total.horizon), _contributions_of(batch, total.horizon), gone)
            )
            total += Expiry(total.horizon, days, contributions, customers_)
    return total


def _today(engine: sa.Engine) -> dt.date:
    with engine.connect() as connection:
        today: dt.date = connection.execute(sa.text("SELECT (now() AT TIME ZONE 'UTC')::date")).scalar_one()
    return today


def _check(engine: sa.Engine, horizon: dt.date) -> None:
    today = _today(engine)
    if horizon > today:
        raise RetentionError(f"{horizon} is in the future; today, {today}, is the latest horizon possible")


def _advance(engine: sa.Engine, horizon: dt.date) -> None:
    """Let the horizon advance between two commits, never during one."""
    _check(engine, horizon)
    if horizon <= current_horizon(engine):
        return
    with Session(engine) as session, session.begin():
        stripes.lock_all(session)
        sealed = sa.func.greatest(Retention.sealed, horizon)
        session.execute(
            sa.update(Retention).where(Retention.horizon < horizon).values(horizon=horizon, sealed=sealed)
        )


def _batches(engine: sa.Engine, horizon: dt.date) -> Iterator[list[str]]:
    """Yield the customers that have days behind the horizon, by their ids."""
    last = ""
    behind = sa.select(Customer.customer_id).where(Customer.first_date < horizon)
    while True:
        with Session(engine) as session:
            page = behind.where(Customer.customer_id > last).order_by(Customer.customer_id).limit(_CUSTOMERS)
            batch = list(session.scalars(page))
        if not batch:
            return
        yield batch
        last = batch[-1]


def _remove(engine: sa.Engine, batch: Sequence[str], horizon: dt.date) -> Expiry:
    """Remove some rows of a batch of customers: contributions, which nobody reads any more, then whole days."""
    with Session(engine) as session, session.begin():
        stripes.lock_customers(session, batch)
        deletion = _deletion(Contribution, _contributions_of(batch, horizon))
        contributions = session.connection().execute(deletion).rowcount
        if contributions == _ROWS:  # there may be more
            return Expiry(horizon, contributions=contributions, finished=False)
        days = session.execute(
            _deletion(DailyStatistics, _days_of(batch, horizon)).returning(
                DailyStatistics.customer_id, DailyStatistics.total_requests
            )
        ).all()
        requests: Counter[str] = Counter()
        for customer_id, count in days:
            requests[customer_id] += count
        gone = customers.shrink(session, requests)
        return Expiry(horizon, len(days), contributions, gone, finished=len(days) < _ROWS)


def _contributions_of(batch: Sequence[str], horizon: dt.date) -> sa.Select[object]:
    """Select where contributions behind the horizon are. What an attempt has only staged is its commit's to judge."""
    found = aliased(Contribution, name="found")
    counting = sa.select(LogObject.attempt_id).where(LogObject.attempt_id.is_not(None))
    return _places(found, batch, horizon).where(found.attempt_id.in_(counting))


def _days_of(batch: Sequence[str], horizon: dt.date) -> sa.Select[object]:
    """Select where daily statistics behind the horizon are, a customer's oldest first."""
    return _places(aliased(DailyStatistics, name="found"), batch, horizon)


def _places(
    found: type[Contribution | DailyStatistics], batch: Sequence[str], horizon: dt.date
) -> sa.Select[object]:
    """Select rows by `ctid`: while their customers are locked, nobody else changes them."""
    among = sa.any_(sa.cast(batch, ARRAY(CustomerId)))
    return (
        sa.select(sa.literal_column("found.ctid"))
        .where(found.customer_id == among, found.date < horizon)
        .order_by(found.customer_id, found.date)
    )


def _deletion(table: type[Contribution | DailyStatistics], places: sa.Select[object]) -> sa.Delete:
    """Delete the first `_ROWS` of the selected rows."""
    chosen = sa.func.array(places.limit(_ROWS).scalar_subquery())
    return sa.delete(table).where(sa.literal_column(f"{table.__tablename__}.ctid") == sa.any_(chosen))
