"""Retention: close and seal the months that are too old, then drop what is stored of them (docs/decisions/0007).

The horizons advance first, under the locks of all customers. Nothing that is behind them changes any more, so partitions are
dropped afterwards, one in each transaction. The customers follow last, since an answer is kept under a customer's revision: one
whose `first_date` is behind the horizon is what is left to do, by the next run if this one was cut off.
"""

import datetime as dt
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace

import sqlalchemy as sa
from sqlalchemy.orm import Session

from logstats.models import Customer, Retention
from processor.ledger import customers, stripes

_CUSTOMERS = 500
"""Of a transaction, which locks their stripes."""
_ROWS = 10_000
"""Deleted by one transaction at the most."""
_PAUSE_SECONDS = 3.0
"""Between two tries to drop a partition, in which others go on."""
_LOCK_NOT_AVAILABLE = "55P03"
_OPEN = dt.date(1970, 1, 1)


class RetentionError(Exception):
    """A horizon cannot be put there; the message is for people."""


@dataclass(frozen=True, slots=True)
class Expiry:
    """Count what a run has removed, or would remove, of the days before the `horizon`, and of the contributions before `sealed`.

    `partitions` are dropped, with so many `bytes`. `customer_days` are deleted one by one, from a partition that reaches over the
    horizon: the one of before there were others. `customers` have no day left.
    """

    horizon: dt.date
    sealed: dt.date
    partitions: int = 0
    bytes: int = 0
    customer_days: int = 0
    customers: int = 0
    finished: bool = True

    def as_dict(self) -> dict[str, object]:
        """Return the fields in their order, dates as ISO 8601."""
        return asdict(self) | {"horizon": self.horizon.isoformat(), "sealed": self.sealed.isoformat()}


def horizon_of(engine: sa.Engine, days: int | None) -> dt.date:
    """Return the first day that stays if months are removed all of whose days are older than so many; the database's clock says today.

    None is never.
    """
    return _OPEN if days is None else (_today(engine) - dt.timedelta(days)).replace(day=1)


def horizons(engine: sa.Engine) -> tuple[dt.date, dt.date]:
    """Return the first day that is open, and the first that is not sealed; 1970-01-01 when none ever was."""
    with engine.connect() as connection:
        horizon, sealed = connection.execute(sa.select(Retention.horizon, Retention.sealed)).one()
    return horizon, sealed


def expire(
    engine: sa.Engine, horizon: dt.date = _OPEN, sealed: dt.date = _OPEN, *, until: float | None = None
) -> Expiry:
    """Close the months before a horizon, seal those before another, and drop what is stored, until `time.monotonic()` says so.

    A horizon is the first day of its month. It never returns: one that is behind the current one only lets the run finish
    what others have left. One in the future is a `RetentionError`: it would close days to which lines are still to come.
    """
    total = Expiry(*_advance(engine, horizon, sealed))
    removals = _removals(engine, total.horizon)
    while until is None or time.monotonic() <= until:
        removed = next(removals, None)
        if removed is None:
            return total
        total = replace(total, **{name: getattr(total, name) + count for name, count in removed.items()})
    return replace(total, finished=False)


def preview(engine: sa.Engine, horizon: dt.date = _OPEN, sealed: dt.date = _OPEN) -> Expiry:
    """Return what `expire` would remove, or raise the same error; nothing is changed."""
    first, unsealed = _checked(engine, horizon, sealed)
    behind = sa.text(
        "SELECT count(*), coalesce(sum(pg_total_relation_size(partition)), 0)::bigint FROM partitions_of(to_regclass(:table))"
        " WHERE until <= :before"
    )
    counts = sa.text(
        "SELECT (SELECT count(*) FROM daily_statistics WHERE date < :first AND tableoid IN"
        "  (SELECT partition FROM partitions_of(to_regclass('daily_statistics')) WHERE until > :first)),"
        " (SELECT count(*) FROM customers WHERE last_date < :first)"
    )
    with engine.connect() as connection:
        days, parts = (
            connection.execute(behind, {"table": table, "before": before}).one()
            for table, before in (("daily_statistics", first), ("contributions", unsealed))
        )
        customer_days, gone = connection.execute(counts, {"first": first}).one()
    return Expiry(first, unsealed, days[0] + parts[0], days[1] + parts[1], customer_days, gone)


def _today(engine: sa.Engine) -> dt.date:
    with engine.connect() as connection:
        today: dt.date = connection.execute(sa.text("SELECT (now() AT TIME ZONE 'UTC')::date")).scalar_one()
    return today


def _checked(engine: sa.Engine, horizon: dt.date, sealed: dt.date) -> tuple[dt.date, dt.date]:
    """Return the horizons as they would become."""
    today = _today(engine)
    for wanted in (horizon, sealed):
        if wanted > today:
            raise RetentionError(f"{wanted} is in the future; today, {today}, is the latest horizon possible")
    known_horizon, known_sealed = horizons(engine)
    horizon = max(known_horizon, horizon.replace(day=1))
    return horizon, max(known_sealed, sealed.replace(day=1), horizon)


def _advance(engine: sa.Engine, horizon: dt.date, sealed: dt.date) -> tuple[dt.date, dt.date]:
    """Let the horizons advance between two commits, never during one; return them."""
    wanted = _checked(engine, horizon, sealed)
    if wanted == horizons(engine):
        return wanted
    with Session(engine) as session, session.begin():
        stripes.lock_all(session)
        columns = zip((Retention.horizon, Retention.sealed), wanted, strict=True)
        later = {column.key: sa.func.greatest(column, day) for column, day in columns}
        session.execute(sa.update(Retention).values(later))
    return horizons(engine)


def _removals(engine: sa.Engine, horizon: dt.date) -> Iterator[Mapping[str, int]]:
    """Yield what each transaction has removed."""
    yield from _drop(engine, "daily_statistics")
    yield from _delete(engine, horizon)
    yield from _follow(engine, horizon)
    yield from _drop(engine, "contributions")


def _drop(engine: sa.Engine, table: str) -> Iterator[Mapping[str, int]]:
    """Drop the partitions of a table that are behind its horizon, once nobody reads them."""
    while True:
        try:
            with engine.begin() as connection:
                dropped = connection.scalar(sa.select(sa.func.drop_expired_partition(table)))
        except sa.exc.OperationalError as error:
            if getattr(error.orig, "sqlstate", None) != _LOCK_NOT_AVAILABLE:
                raise
            time.sleep(_PAUSE_SECONDS)
            yield {}
        else:
            if dropped is None:
                return
            yield {"partitions": 1, "bytes": dropped}


def _delete(engine: sa.Engine, horizon: dt.date) -> Iterator[Mapping[str, int]]:
    """Delete the rest of the days behind the horizon: those of one partition, which reaches over it."""
    rows = sa.text(
        "DELETE FROM daily_statistics WHERE date < :horizon AND ctid = ANY (ARRAY("
        "SELECT ctid FROM daily_statistics WHERE date < :horizon LIMIT :rows))"
    )
    while True:
        with engine.begin() as connection:
            deleted = connection.execute(rows, {"horizon": horizon, "rows": _ROWS}).rowcount
        if not deleted:
            return
        yield {"customer_days": deleted}


def _follow(engine: sa.Engine, horizon: dt.date) -> Iterator[Mapping[str, int]]:
    """Bring the customers up to date that have had days behind the horizon; the statistics have none any more."""
    last = ""
    behind = sa.select(Customer.customer_id).where(Customer.first_date < horizon)
    while True:
        with Session(engine) as session, session.begin():
            page = behind.where(Customer.customer_id > last).order_by(Customer.customer_id).limit(_CUSTOMERS)
            batch = list(session.scalars(page))
            if not batch:
                return
            last = batch[-1]
            stripes.lock_customers(session, batch)
            gone = customers.recount(session, batch)
        yield {"customers": gone}
