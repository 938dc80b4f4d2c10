"""The statements about all customers over a range of days, from `first` to `last`."""

import datetime as dt
from typing import Any

import sqlalchemy as sa

from logstats import rows
from logstats.models import Customer, CustomerId, DailyStatistics, LogObject

MAX_SILENT = 100
"""Silent customers that are named."""

_LIMIT = sa.bindparam("limit", type_=sa.Integer)
_FIRST: sa.BindParameter[dt.date] = sa.bindparam("first", type_=sa.Date)
_LAST: sa.BindParameter[dt.date] = sa.bindparam("last", type_=sa.Date)
_SINCE: sa.BindParameter[dt.date] = sa.bindparam("since", type_=sa.Date)
_day = DailyStatistics


def sums() -> tuple[sa.Label[Any], ...]:
    """Return the sums of `rows.SUMS`, as parts of a statement."""
    summed = ((name, getattr(_day, name)) for name in rows.SUMS)
    return tuple(sa.cast(sa.func.sum(column), column.type).label(name) for name, column in summed)


def wanted() -> sa.TableValuedAlias:
    """Return the parameter `customers`, a list of ids, as a table: each `customer_id` with its `number`, from 1 on."""
    ids = sa.bindparam("customers", type_=sa.ARRAY(CustomerId))
    columns = sa.column("customer_id", CustomerId)
    return sa.func.unnest(ids).table_valued(columns, with_ordinality="number").render_derived("wanted")


def starting(column: sa.SQLColumnExpression[str]) -> sa.ColumnElement[bool]:
    """Compare ids, in byte order, with the parameters `prefix` and `end`, the first after all that start with it."""
    return sa.and_(column >= sa.bindparam("prefix"), column < sa.bindparam("end"))


# ---- Some customers, or all one by one -------------------------------------------------------------------------

_wanted = wanted()
_of_wanted = (
    sa.select(_wanted.c.number)
    .join_from(_wanted, _day, _day.customer_id == _wanted.c.customer_id)
    .where(_day.date.between(_FIRST, _LAST))
)
SUMMARIES = _of_wanted.add_columns(
    sa.func.min(_day.date), *sums(), sa.func.min(_day.duration_min_us), sa.func.max(_day.duration_max_us)
).group_by(_wanted.c.number)
"""Reads what the customers of `statements.wanted` have over a range, by their numbers; no row for one without requests."""
DAILY_REQUESTS = _of_wanted.add_columns(_day.date, _day.total_requests)
"""Their requests on each day of a range."""
EXTREMES = (
    sa.select(_day.customer_id, sa.func.min(_day.duration_min_us), sa.func.max(_day.duration_max_us))
    .where(_day.date.between(_FIRST, _LAST), starting(_day.customer_id))
    .group_by(_day.customer_id)
)
"""All customers with requests in a range, with their shortest and longest duration."""
CUSTOMERS = (
    sa.select(Customer.customer_id, Customer.first_date, Customer.last_date, Customer.total_requests)
    .where(Customer.customer_id > sa.bindparam("after"), starting(Customer.customer_id))
    .order_by(Customer.customer_id)
    .limit(_LIMIT)
)
"""Customers after one, from a prefix to before the end of what starts so, in byte order."""

ALL_DAILY_STATISTICS = (
    sa.select(_day.customer_id, _day.date, *rows.columns(_day, rows.SHOWN))
    .where(_day.date.between(_FIRST, _LAST))
    .order_by(_day.customer_id, _day.date)
)
"""The days of all customers from `first` to `last`, by customer and date."""

_histograms = (
    sa.select(_day.date)
    .where(_day.date.between(_FIRST, _LAST), starting(_day.customer_id))
    .limit(_LIMIT)
    .subquery()
)
COUNT_HISTOGRAMS = sa.select(sa.func.count()).select_from(_histograms)
"""How many histograms a range has, counted up to a limit."""

# ---- All customers together, over a range of days and the one before it, which begins `since` a day ------------------

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


def _sum(name: str) -> sa.ColumnElement[int]:
    return sa.cast(sa.func.coalesce(sa.func.sum(getattr(LogObject, name)), 0), sa.BigInteger).label(name)


_NUMBERS = ("lines", "accepted", "rejected", "skipped", "expired")
LEDGER = sa.select(
    sa.func.count().label("objects"),
    *map(_sum, _NUMBERS),
    sa.func.count().filter(LogObject.outcome == "unrecognised").label("unrecognised"),
).where(
    LogObject.committed_at >= sa.bindparam("since", type_=sa.DateTime(timezone=True)),
    LogObject.committed_at < sa.bindparam("until", type_=sa.DateTime(timezone=True)),
)
"""Adds up the log objects whose last commit was `since` a time, and before the time `until`."""
