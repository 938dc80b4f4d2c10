"""Keep the customers in step with their daily statistics."""

import datetime as dt
from collections.abc import Sequence
from functools import lru_cache

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, Insert, insert
from sqlalchemy.orm import Session

from logstats.models import REVISIONS, Contribution, Customer, CustomerId, DailyStatistics
from processor.ledger.change import ADDED, IS_CHANGED, TAKES_PART, Change
from processor.ledger.horizon import HORIZON


def refresh(session: Session, change: Change) -> None:
    """Bring the customers that a change touches up to date; their daily statistics are already new."""
    session.connection().execute(_upsert(only_added=not change.removed), change.parameters)
    if change.removed:
        gone = sa.select(_TOUCHED.c.customer_id)
        empty = sa.delete(Customer).where(Customer.customer_id.in_(gone), Customer.total_requests == 0)
        session.connection().execute(empty, change.parameters)


@lru_cache(maxsize=2)
def _upsert(*, only_added: bool) -> Insert:
    touched, insertion = _TOUCHED, insert(Customer)
    new = insertion.excluded
    first: sa.ColumnElement[dt.date] = touched.c.first_date
    last: sa.ColumnElement[dt.date] = touched.c.last_date
    new_first: sa.ColumnElement[dt.date] = new.first_date
    new_last: sa.ColumnElement[dt.date] = new.last_date
    if only_added:  # days only come, so the contributions say enough: no look at the other days
        new_first = sa.func.least(Customer.first_date, new_first)
        new_last = sa.func.greatest(Customer.last_date, new_last)
    else:
        # A run of the retention finds by its first day the customer whose days it has removed, and counts it anew.
        new_first = sa.case((Customer.first_date < HORIZON, Customer.first_date), else_=new_first)
        first = _edge(touched, sa.func.min(DailyStatistics.date))
        last = _edge(touched, sa.func.max(DailyStatistics.date))
    statement = insertion.from_select(
        [column.name for column in Customer.__table__.columns],
        sa.select(
            touched.c.customer_id,
            sa.select(REVISIONS.next_value()).scalar_subquery(),
            first,
            last,
            touched.c.change,
        ).order_by(touched.c.customer_id),  # the order of the index, in which it grows at its end
    )
    return statement.on_conflict_do_update(
        index_elements=[Customer.customer_id],
        set_={
            "revision": new.revision,
            "first_date": new_first,
            "last_date": new_last,
            "total_requests": Customer.total_requests + new.total_requests,
        },
    )


def recount(session: Session, ids: Sequence[str]) -> int:
    """Bring customers up to date some of whose days have been removed; return how many have no day left, and are gone.

    The caller holds the locks of the customers.
    """
    among = sa.any_(sa.cast(ids, ARRAY(CustomerId)))
    day = DailyStatistics
    days = (
        sa.select(
            day.customer_id,
            sa.func.min(day.date).label("first_date"),
            sa.func.max(day.date).label("last_date"),
            sa.cast(sa.func.sum(day.total_requests), sa.BigInteger).label("total_requests"),
        )
        .where(day.customer_id == among)
        .group_by(day.customer_id)
        .subquery()
    )
    session.execute(
        sa.update(Customer)
        .where(Customer.customer_id == days.c.customer_id)
        .values(
            revision=sa.select(REVISIONS.next_value()).scalar_subquery(),
            **{name: days.c[name] for name in ("first_date", "last_date", "total_requests")},
        ),
        execution_options={"synchronize_session": False},
    )
    left = sa.exists().where(day.customer_id == Customer.customer_id)
    return (
        session.connection().execute(sa.delete(Customer).where(Customer.customer_id == among, ~left)).rowcount
    )


def _touched() -> sa.Subquery:
    """Select each customer that attempts change, by how much its requests have changed, and its outermost days."""
    sign = sa.case((Contribution.attempt_id == sa.any_(ADDED), 1), else_=-1)
    change = sa.cast(sa.func.sum(sign * Contribution.total_requests), sa.BigInteger)
    return (
        sa.select(
            Contribution.customer_id,
            change.label("change"),
            sa.func.min(Contribution.date).label("first_date"),
            sa.func.max(Contribution.date).label("last_date"),
        )
        .where(IS_CHANGED, TAKES_PART)
        .group_by(Contribution.customer_id)
        .subquery()
    )


_TOUCHED = _touched()


def _edge(touched: sa.Subquery, edge: sa.Function[dt.date]) -> sa.ColumnElement[dt.date]:
    """Return a customer's first or last day (one look into an index); any day for one that has none left."""
    day = sa.select(edge).where(DailyStatistics.customer_id == touched.c.customer_id).scalar_subquery()
    return sa.func.coalesce(day, sa.literal(dt.date(1970, 1, 1)))
