"""The statements of the overview: all customers together over two ranges of days, one just before the other.

Their parameters are `since`, the first day of the range before, and `first` and `last`, those of the range.
"""

import sqlalchemy as sa

from api.ranking import sums
from logstats.models import Customer, DailyStatistics, LogObject

MAX_SILENT = 100
"""Silent customers that are named."""

_FIRST, _LAST = sa.bindparam("first"), sa.bindparam("last")
_SINCE = sa.bindparam("since", type_=sa.Date)
_day = DailyStatistics

DAYS = (
    sa.select(
        *(_day.date, *sums()),
        sa.func.min(_day.duration_min_us),
        sa.func.max(_day.duration_max_us),
        sa.func.count(),
    )
    .where(_day.date.between(_SINCE, _LAST))
    .group_by(_day.date)
    .order_by(_day.date)
)
"""Each day of both ranges: its columns, and how many customers it has."""

_before = _day.date < _FIRST
_customers = (
    sa.select(
        _day.customer_id,
        sa.func.bool_or(~_before).label("is_active"),
        sa.func.sum(_day.total_requests).filter(_before).label("requests_before"),
        sa.func.max(_day.date).filter(_before).label("last_date"),
    )
    .where(_day.date.between(_SINCE, _LAST))
    .group_by(_day.customer_id)
    .cte("both")
    .prefix_with("MATERIALIZED")
)
_was_active = _customers.c.requests_before.is_not(None)
_counts = sa.select(
    sa.func.count().filter(_customers.c.is_active).label("active"),
    sa.func.count().filter(_was_active).label("active_before"),
    sa.func.count().filter(~_customers.c.is_active).label("silent"),
    sa.select(sa.func.count())
    .where(Customer.first_date.between(_FIRST, _LAST))
    .scalar_subquery()
    .label("new"),
).subquery("counts")
_silent = (
    sa.select(_customers.c.customer_id, _customers.c.last_date, _customers.c.requests_before)
    .where(~_customers.c.is_active)
    .order_by(_customers.c.requests_before.desc(), _customers.c.customer_id)
    .limit(MAX_SILENT)
    .subquery("silent")
)
ACTIVITY = (
    sa.select(_counts, sa.cast(_silent.c.requests_before, sa.BigInteger).label("requests_before"))
    .add_columns(_silent.c.customer_id, _silent.c.last_date)
    .outerjoin_from(_counts, _silent, sa.true())
    .order_by(_silent.c.requests_before.desc(), _silent.c.customer_id)
)
"""How many customers were active, silent and new; a row for each silent one that is named, or one row without any."""


def _sum(column: sa.SQLColumnExpression[int]) -> sa.ColumnElement[int]:
    return sa.cast(sa.func.coalesce(sa.func.sum(column), 0), sa.BigInteger).label(column.key)


_NUMBERS = ("lines", "accepted", "rejected", "skipped", "expired")
LEDGER = sa.select(
    sa.func.count().label("objects"),
    *(_sum(getattr(LogObject, name)) for name in _NUMBERS),
    sa.func.count().filter(LogObject.outcome == "unrecognised").label("unrecognised"),
).where(
    LogObject.committed_at >= sa.bindparam("since", type_=sa.DateTime(timezone=True)),
    LogObject.committed_at < sa.bindparam("until", type_=sa.DateTime(timezone=True)),
)
"""What the log objects come to whose last commit was `since` a time, and before the time `until`."""
