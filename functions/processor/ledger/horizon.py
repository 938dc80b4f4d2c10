"""The retention horizon: the days before it are closed (docs/decisions/0007)."""

import datetime as dt

import sqlalchemy as sa

from logstats.models import Retention

HORIZON = sa.select(Retention.horizon).scalar_subquery()
"""The first day that is open, as a part of a statement. Whoever holds a stripe may rely on it until the transaction
ends: it advances only under all of them."""


def is_open(date: sa.SQLColumnExpression[dt.date]) -> sa.ColumnElement[bool]:
    """Whether contributions of a day are still added and subtracted."""
    return date >= HORIZON
