"""The horizons: the days before the retention horizon are closed, and those before `SEALED` are sealed (docs/decisions/0007).

A transaction that holds a stripe may rely on both until it ends: they advance only under all stripes.
"""

import datetime as dt
from collections.abc import Iterable, Iterator
from itertools import pairwise

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.ranges import MultiRange, Range
from sqlalchemy.orm import Session

from logstats.models import Contribution, LogObject, Retention

HORIZON = sa.select(Retention.horizon).scalar_subquery()
"""The first day that is open, as a part of a statement."""
SEALED = sa.select(Retention.sealed).scalar_subquery()
"""The first day that is not sealed; never before the horizon."""

_DAY = dt.timedelta(1)
_SHOWN = 3
"""Ranges of days in an error."""


class SealedError(Exception):
    """Something must be subtracted from a sealed day, which is impossible; nothing was changed."""


def is_unsealed(date: sa.SQLColumnExpression[dt.date]) -> sa.ColumnElement[bool]:
    """Compare a day with the sealed ones: contributions to one that is not sealed are kept, and can be subtracted."""
    return date >= SEALED


def ranges_of(days: Iterable[dt.date]) -> MultiRange[dt.date]:
    """Unite days to ranges, each without its upper bound."""
    return MultiRange(_ranges(sorted(set(days))))


def _ranges(days: list[dt.date]) -> Iterator[Range[dt.date]]:
    ends = [day for day, following in pairwise([*days, dt.date.max]) if following - day > _DAY]
    starts = [day for before, day in pairwise([dt.date.min, *days]) if day - before > _DAY]
    for start, end in zip(starts, ends, strict=True):
        yield Range(start, end + _DAY)


def check_subtractable(session: Session, row: LogObject, horizon: dt.date, sealed: dt.date) -> None:
    """Check that what a log object counts can be subtracted; a `SealedError` if some of it is of sealed days.

    The caller holds the stripes of those that it contributes to. Closed days do not matter: what they have is about to go.
    """
    if row.attempt_id is None or horizon == sealed:
        return
    if row.days is None:  # a row of before revision 0010
        stored = session.scalar(_STORED, {"attempt_id": row.attempt_id})
        found = "" if stored == row.accepted - row.expired else f"before {sealed}"
    else:
        found = _described(
            [
                (max(days.lower, horizon), min(days.upper, sealed) - _DAY)
                for days in row.days
                if days.lower < sealed and days.upper > horizon
            ]
        )
    if found:
        raise SealedError(
            f"{row.key}: it counts on days that are sealed, {found}: nothing of them can be taken out or replaced"
        )


def _described(ranges: list[tuple[dt.date, dt.date]]) -> str:
    """Name the first of some ranges of days, for people: a log of few requests may have a hundred."""
    shown = [f"{first}" if first == last else f"{first} to {last}" for first, last in ranges[:_SHOWN]]
    left = len(ranges) - _SHOWN
    return ", ".join([*shown, f"and {left} more"] if left > 0 else shown)


_STORED = sa.select(sa.func.coalesce(sa.func.sum(Contribution.total_requests), 0)).where(
    Contribution.attempt_id == sa.bindparam("attempt_id"), is_unsealed(Contribution.date)
)
