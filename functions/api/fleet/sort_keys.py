"""Order customers over a range of days by one of their fields, as far as PostgreSQL can by itself.

It can by every field but the percentiles of several days, for which `api.fleet.ranks` merges histograms. Those of one day are stored.
"""

from typing import Any

import sqlalchemy as sa

from api.answers.representation import Changes, CustomerStatistics
from api.fleet.statements import starting, sums
from logstats import rows
from logstats.domain.summary import PERCENTILES
from logstats.models import DailyStatistics

Column = sa.ColumnElement[Any]
Columns = sa.sql.base.ReadOnlyColumnCollection[str, Any]

PERCENTILE_FIELDS = tuple(f"duration_p{percent}" for percent in PERCENTILES)
SORT_FIELDS = (*(name for name in CustomerStatistics.model_fields if name != "date"), *Changes.model_fields)
MERGED_FIELDS = frozenset({*PERCENTILE_FIELDS, "change_p99"})
"""The fields of several days that need histograms."""


def _double(value: Column) -> Column:
    return sa.cast(value, sa.Double)


def _uptime(days: Columns) -> Column:
    return _double(100 * (days.total_requests - days.server_errors)) / _double(days.total_requests)


def _keys(days: Columns) -> dict[str, Column]:
    """Return what orders as each field does: counts, microseconds, or the same double as `representation.fields`."""
    timed = days.total_requests - days.untimed_requests
    failed = days.client_errors + days.server_errors
    return {
        "customer_id": days.customer_id,
        **{name: days[name] for name in rows.SUMS},
        "timed_requests": timed,
        "success_requests": days.total_requests - failed,
        "failed_requests": failed,
        "uptime_percentage": _uptime(days),
        "duration_mean": _double(days.duration_sum_us) / sa.func.nullif(_double(timed * 1_000_000), 0),
        **{name: days[f"{name}_us"] for name in PERCENTILE_FIELDS if f"{name}_us" in days},
        "duration_max": days.duration_max_us,
    }


def _changes(now: Columns, before: Columns) -> dict[str, Column]:
    """Return what orders as each field of `rows.changes` does."""

    def ratio(column: str) -> Column:
        return _double(now[column] - before[column]) / sa.func.nullif(_double(before[column]), 0)

    return {
        "change_requests": ratio("total_requests"),
        "change_uptime_percentage": _uptime(now) - _uptime(before),
        **({"change_p99": ratio("duration_p99_us")} if "duration_p99_us" in now else {}),
    }


def ranked(field: str, *, descending: bool, one_day: bool) -> sa.Select[Any]:
    """Return the statement for customers and their `key`, in order; nulls last, ties by id.

    Its parameters are `first`, `last`, `prefix` and `end`, and for a change `before_first` and `before_last`.
    """
    now = _per_customer("now", "first", "last", one_day=one_day)
    found: sa.FromClause = now
    if field in Changes.model_fields:
        before = _per_customer("before", "before_first", "before_last", one_day=one_day)
        found = now.outerjoin(before, before.c.customer_id == now.c.customer_id)
        key = _changes(now.c, before.c)[field]
    else:
        key = _keys(now.c)[field]
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
        return statement.add_columns(*rows.columns(day, rows.SHOWN)).subquery(name)
    longest = sa.func.max(day.duration_max_us).label("duration_max_us")
    return statement.add_columns(*sums(), longest).group_by(day.customer_id).subquery(name)
