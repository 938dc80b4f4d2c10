"""The retention horizon: the days before it are closed (docs/decisions/0007)."""

import datetime as dt

import sqlalchemy as sa

from logstats.models import Retention

HORIZON = sa.select(Retention.horizon).scalar_subquery()
"""The first day that is open, as a part of a statement. A transaction that holds a stripe may rely on it until it ends:
the horizon advances only under all stripes."""


def is_open(date: sa.SQLColumnExpression[dt.date]) -> sa.ColumnElement[bool]:
    """Compare a day with the horizon: contributions of an open day are still added and subtracted."""
    return date >= HORIZON
