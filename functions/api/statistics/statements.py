"""The statements about one customer, composed from the models."""

from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import InstrumentedAttribute

from api.database.reader import Statement
from logstats import rows
from logstats.models import Customer, DailyStatistics


def _days(*columns: InstrumentedAttribute[Any]) -> Statement:
    """Return a customer's days from `first` to `last`, both included, in the order of the dates.

    With each the customer's revision: a customer without days between the dates has one row, without a date; an
    unknown one has none.
    """
    day = DailyStatistics
    joined = sa.and_(
        day.customer_id == Customer.customer_id, day.date.between(sa.bindparam("first"), sa.bindparam("last"))
    )
    return (
        sa.select(Customer.customer_id, Customer.revision, day.date, *columns)
        .outerjoin_from(Customer, day, joined)
        .where(Customer.customer_id == sa.bindparam("customer_id"))
        .order_by(day.date)
    )


DAILY_STATISTICS = _days(*rows.columns(DailyStatistics, rows.SHOWN))
DAILY_SUMMARIES = _days(*rows.columns(DailyStatistics, (*rows.NUMBERS, "histogram")))
"""The same days with what is needed to merge them."""
DAILY_BREAKDOWNS = _days(DailyStatistics.breakdown).limit(sa.bindparam("limit", type_=sa.Integer))
"""The first of the same days, at most `limit`, with what is needed to divide them."""
