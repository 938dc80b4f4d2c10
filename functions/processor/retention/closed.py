"""Where the rows of closed days are."""

import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import aliased

from logstats.models import Contribution, CustomerId, DailyStatistics, LogObject


def contributions_of(batch: Sequence[str], horizon: dt.date) -> sa.Select[object]:
    """Select where contributions behind the horizon are. What an attempt has only staged is its commit's to judge."""
    found = aliased(Contribution, name="found")
    counting = sa.select(LogObject.attempt_id).where(LogObject.attempt_id.is_not(None))
    return _places(found, batch, horizon).where(found.attempt_id.in_(counting))


def days_of(batch: Sequence[str], horizon: dt.date) -> sa.Select[object]:
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
