"""The contributions that a commit adds to the daily statistics, and those that it subtracts."""

import datetime as dt
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import Session

from logstats.models import Contribution, Retention
from processor.ledger import stripes


class IntegrityError(Exception):
    """The tables contradict each other; nothing was changed."""


@dataclass(frozen=True, slots=True)
class Day:
    """Count what an attempt has staged of one day: accepted lines, rows, and the bytes of what is encoded in them."""

    date: dt.date
    requests: int
    rows: int
    bytes: int


@dataclass(frozen=True, slots=True)
class Change:
    """Attempts that are `added` and `removed`, what each has of which days, and the horizons while the stripes are held.

    `processor.ledger.horizon` says what the horizons are.
    """

    added: Sequence[int]
    removed: Sequence[int]
    days: Mapping[int, Sequence[Day]]
    horizon: dt.date
    sealed: dt.date

    @property
    def parameters(self) -> dict[str, Any]:
        """Return the parameters of `IS_CHANGED`, `IS_OPEN` and `TAKES_PART`."""
        since, until = _outermost(self.days)
        return {
            "attempts": [*self.added, *self.removed],
            "added": list(self.added),
            "since": since,
            "until": until,
            "horizon": self.horizon,
            "sealed": self.sealed,
        }

    @property
    def bytes(self) -> int:
        """Return the size of all encoded histograms and breakdowns."""
        return sum(day.bytes for days in self.days.values() for day in days)

    def open_days(self, attempt_id: int) -> list[Day]:
        """Return the days of an attempt that are not closed."""
        return [day for day in self.days[attempt_id] if day.date >= self.horizon]


def lock(session: Session, added: Sequence[int], removed: Sequence[int]) -> Change:
    """Lock the stripes of the customers that attempts contribute to, and return the change.

    What is staged is looked at before: nothing of it changes any more. An `IntegrityError` if there are no horizons.
    """
    connection, attempts = session.connection(), [*added, *removed]
    days = defaultdict[int, list[Day]](list)
    for attempt_id, *day in connection.execute(_DAYS, {"attempts": attempts}):
        days[attempt_id].append(Day(*day))
    if sum(day.rows for each in days.values() for day in each) > _MANY:
        stripes.lock_all(session)
    else:
        stripes.lock_touched(session, attempts, *_outermost(days))
    horizons = connection.execute(_HORIZONS).one_or_none()
    if horizons is None:
        raise IntegrityError("the retention horizon is missing")
    return Change(added, removed, days, *horizons)


def _outermost(days: Mapping[int, Sequence[Day]]) -> tuple[dt.date, dt.date]:
    """Return the first and the last day; if there is none, two between which there is none."""
    dates = [day.date for each in days.values() for day in each]
    return min(dates, default=dt.date.max), max(dates, default=dt.date.min)


_MANY = 20 * stripes.STRIPES
"""Rows that touch every stripe, or all but one: to find out which costs as much as to count them."""
ADDED, _ATTEMPTS = (sa.bindparam(name, type_=ARRAY(sa.BigInteger)) for name in ("added", "attempts"))
_SINCE, _UNTIL, _HORIZON, _SEALED = (
    sa.bindparam(name, type_=sa.Date) for name in ("since", "until", "horizon", "sealed")
)
_IS_OF_ATTEMPTS = Contribution.attempt_id == sa.any_(_ATTEMPTS)
# The days let PostgreSQL plan with the partitions of a month or two, and not with all there are.
IS_CHANGED = _IS_OF_ATTEMPTS & Contribution.date.between(_SINCE, _UNTIL)
"""Selects the contributions of a change."""
IS_OPEN = Contribution.date >= _HORIZON
"""Selects contributions to open days: those that may be added."""
TAKES_PART = IS_OPEN & ((Contribution.attempt_id == sa.any_(ADDED)) | (Contribution.date >= _SEALED))
"""Selects, among those of a change, the contributions that change something: what is added to open days, and the rest of days that
are not sealed."""

_encoded = sa.func.octet_length(Contribution.histogram) + sa.func.coalesce(
    sa.func.octet_length(Contribution.breakdown), 0
)
ENCODED_BYTES = sa.func.sum(_encoded, type_=sa.BigInteger)
_DAYS = (
    sa.select(
        Contribution.attempt_id,
        Contribution.date,
        sa.cast(sa.func.sum(Contribution.total_requests), sa.BigInteger),
        sa.func.count(),
        ENCODED_BYTES,
    )
    .where(_IS_OF_ATTEMPTS)
    .group_by(Contribution.attempt_id, Contribution.date)
)
_HORIZONS = sa.select(Retention.horizon, Retention.sealed)
