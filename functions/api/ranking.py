"""Customers over a range of days, ordered by one of their fields: statements that PostgreSQL orders by itself.

Every field can be ordered by counts and sums alone, but the percentiles of several days (`api.fleet` merges their
histograms). Those of one day are stored.
"""

from collections.abc import Callable, Mapping
from typing import Any

import sqlalchemy as sa

from api.statements import starting, wanted
from logstats.domain.summary import PERCENTILES
from logstats.models import DailyStatistics

Column = sa.ColumnElement[Any]
Columns = sa.sql.base.ReadOnlyColumnCollection[str, Any]

PERCENTILE_FIELDS = tuple(f"duration_p{percent}" for percent in PERCENTILES)
CHANGE_FIELDS = ("change_requests", "change_uptime_percentage", "change_p99")
MERGED_FIELDS = frozenset({*PERCENTILE_FIELDS, "change_p99"})
"""The fields of several days that need their histograms."""


def _double(value: Column) -> Column:
    return sa.cast(value, sa.Double)


def _total(days: Columns) -> Column:
    return days.total_requests


def _timed(days: Columns) -> Column:
    return days.total_requests - days.untimed_requests


def _failed(days: Columns) -> Column:
    return days.client_errors + days.server_errors


def _uptime(days: Columns) -> Column:
    return _double(100 * (days.total_requests - days.server_errors)) / _double(days.total_requests)


def _mean(days: Columns) -> Column:
    return _double(days.duration_sum_us) / sa.func.nullif(_double(_timed(days) * 1_000_000), 0)


_KEYS: Mapping[str, Callable[[Columns], Column]] = {
    "customer_id": lambda days: days.customer_id,
    "total_requests": _total,
    "timed_requests": _timed,
    "success_requests": lambda days: days.total_requests - _failed(days),
    "failed_requests": _failed,
    "client_errors": lambda days: days.client_errors,
    "server_errors": lambda days: days.server_errors,
    "uptime_percentage": _uptime,
    "duration_mean": _mean,
    **{name: lambda days, column=f"{name}_us": days[column] for name in PERCENTILE_FIELDS},
    "duration_max": lambda days: days.duration_max_us,
}
"""What orders as a field does: counts, microseconds, or the same double that `representation.fields` makes."""

_CHANGES: Mapping[str, Callable[[Columns, Columns], Column]] = {
    "change_requests": lambda now, before: (
        _double(now.total_requests - before.total_requests) / _double(before.total_requests)
    ),
    "change_uptime_percentage": lambda now, before: _uptime(now) - _uptime(before),
    "change_p99": lambda now, before: (
        _double(now.duration_p99_us - before.duration_p99_us)
        / sa.func.nullif(_double(before.duration_p99_us), 0)
    ),
}
SORT_FIELDS = (*_KEYS, *_CHANGES)
FRACTIONS = frozenset({"uptime_percentage", "duration_mean", *_CHANGES})
"""The fields whose keys are doubles; those of the rest are integers, or ids."""


def ranked(field: str, *, descending: bool, one_day: bool) -> sa.Select[Any]:
    """Return the statement for customers and their `key`, in order; nulls last, ties by id.

    Its parameters are `first`, `last`, `prefix` and `end`, and for a change `before_first` and `before_last`.
    """
    now = _per_customer("now", "first", "last", one_day=one_day)
    found: sa.FromClause = now
    if field in _CHANGES:
        before = _per_customer("before", "before_first", "before_last", one_day=one_day)
        found = now.outerjoin(before, before.c.customer_id == now.c.customer_id)
        key = _CHANGES[field](now.c, before.c)
    else:
        key = _KEYS[field](now.c)
    keys = sa.select(now.c.customer_id, key.label("key")).select_from(found).subquery("ranked")
    order = keys.c.key.desc() if descending else keys.c.key.asc()
    return sa.select(keys.c.customer_id, keys.c.key).order_by(order.nulls_last(), keys.c.customer_id)


def after(
    statement: sa.Select[Any], key: float | str | None, customer_id: str, *, descending: bool
) -> sa.Select[Any]:
    """Limit a statement of `ranked` to what comes after a customer and its key."""
    keys, ids = statement.selected_columns["key"], statement.selected_columns["customer_id"]
    if key is None:
        return statement.where(keys.is_(None), ids > customer_id)
    beyond = keys < key if descending else keys > key
    return statement.where(sa.or_(beyond, sa.and_(keys == key, ids > customer_id), keys.is_(None)))


def _per_customer(name: str, first: str, last: str, *, one_day: bool) -> sa.Subquery:
    """Select each customer's columns over a range; PostgreSQL leaves out those that are not used."""
    day = DailyStatistics
    statement = sa.select(day.customer_id).where(
        day.date.between(sa.bindparam(first), sa.bindparam(last)), starting(day.customer_id)
    )
    if one_day:
        return statement.add_columns(
            *(getattr(day, each) for each in (*COUNTS, "duration_sum_us", "duration_max_us")),
            *(getattr(day, f"{each}_us") for each in PERCENTILE_FIELDS),
        ).subquery(name)
    return (
        statement.add_columns(*sums(), sa.func.max(day.duration_max_us).label("duration_max_us"))
        .group_by(day.customer_id)
        .subquery(name)
    )


COUNTS = ("total_requests", "client_errors", "server_errors", "untimed_requests")


def sums() -> tuple[sa.Label[Any], ...]:
    """Return the sums of the counts and of the durations, as parts of a statement."""
    day = DailyStatistics
    counts = (sa.cast(sa.func.sum(getattr(day, each)), sa.BigInteger).label(each) for each in COUNTS)
    return (
        *counts,
        sa.func.sum(day.duration_sum_us, type_=day.duration_sum_us.type).label("duration_sum_us"),
    )


_wanted = wanted()
_of_wanted = (
    sa.select(_wanted.c.number)
    .join_from(_wanted, DailyStatistics, DailyStatistics.customer_id == _wanted.c.customer_id)
    .where(DailyStatistics.date.between(sa.bindparam("first"), sa.bindparam("last")))
)
SUMMARIES = _of_wanted.add_columns(
    sa.func.min(DailyStatistics.date),
    *sums(),
    sa.func.min(DailyStatistics.duration_min_us),
    sa.func.max(DailyStatistics.duration_max_us),
).group_by(_wanted.c.number)
"""What the customers of `statements.wanted` have over a range, by their numbers; no row for one without requests."""
DAILY_REQUESTS = _of_wanted.add_columns(DailyStatistics.date, DailyStatistics.total_requests)
"""Their requests on each day of a range."""
EXTREMES = (
    sa.select(
        DailyStatistics.customer_id,
        sa.func.min(DailyStatistics.duration_min_us),
        sa.func.max(DailyStatistics.duration_max_us),
    )
    .where(
        DailyStatistics.date.between(sa.bindparam("first"), sa.bindparam("last")),
        starting(DailyStatistics.customer_id),
    )
    .group_by(DailyStatistics.customer_id)
)
"""All customers with requests in a range, with their shortest and longest duration."""
HISTOGRAMS = (
    sa.select(DailyStatistics.date)
    .where(DailyStatistics.date.between(sa.bindparam("first"), sa.bindparam("last")))
    .limit(sa.bindparam("limit", type_=sa.Integer))
    .subquery()
)
COUNT_HISTOGRAMS = sa.select(sa.func.count()).select_from(HISTOGRAMS)
"""How many histograms a range has, counted up to a limit."""
