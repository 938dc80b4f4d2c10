"""The locks of customers: advisory locks ("stripes") that customers are spread over by a hash.

Locks on rows would not do: the rows may not exist yet. All are taken in ascending order, so no two transactions can
wait for each other; they are held until the transaction ends.
"""

import datetime as dt
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from logstats.models import Contribution, CustomerId

STRIPES = 64
"""Change it only while no processor runs: they must agree."""
_CLASS = 0x6C6F6773  # "logs": the first half of the lock's key; the second is the stripe


def lock_touched(session: Session, attempts: Sequence[int], since: dt.date, until: dt.date) -> None:
    """Lock the stripes of the customers that attempts contribute to, all of it within some days."""
    session.execute(_LOCK_TOUCHED, {"attempts": attempts, "since": since, "until": until}).all()


def lock_customers(session: Session, ids: Sequence[str]) -> None:
    """Lock the stripes of customers, as a commit does that touches them."""
    session.execute(_locked(sa.select(stripe_of(sa.func.unnest(sa.cast(ids, ARRAY(CustomerId))))))).all()


def lock_all(session: Session) -> None:
    """Lock every stripe: then no commit that touches any customer is under way, and none begins."""
    session.execute(_locked(sa.select(sa.func.generate_series(0, STRIPES - 1).label("stripe")))).all()


def stripe_of(customer_id: sa.ColumnElement[str] | sa.SQLColumnExpression[str]) -> sa.Label[int]:
    """Return the stripe of a customer, as part of a statement."""
    return (sa.func.hashtext(customer_id).op("&")(STRIPES - 1)).label("stripe")


def lock(stripe: sa.ColumnElement[int] | int) -> sa.Function[None]:
    """Return the call that locks a stripe, as part of a statement."""
    return sa.func.pg_advisory_xact_lock(_CLASS, stripe)


def _locked(stripes: sa.Select[int]) -> sa.Select[Any]:
    ordered = stripes.distinct().order_by("stripe").subquery()
    return sa.select(lock(ordered.c.stripe))


_LOCK_TOUCHED = _locked(
    sa.select(stripe_of(Contribution.customer_id)).where(
        Contribution.attempt_id.in_(sa.bindparam("attempts", expanding=True)),
        Contribution.date.between(sa.bindparam("since"), sa.bindparam("until")),
    )
)
