"""Merge histograms as PostgreSQL sends them: the kernel reads the rows, in a thread, while the event loop goes on."""

import asyncio
import datetime as dt
from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers.ranges import DateRange
from api.database.copying import HEADER_BYTES, copy
from api.fleet.statements import wanted
from logstats.domain.histogram import LatencyHistogram, percentiles_of_groups
from logstats.models import DailyStatistics

MAX_BYTES = 256 * 1024 * 1024
"""Histograms that one answer holds at a time."""

_PIECE_BYTES = 8 * 1024 * 1024
"""Bounds what is merged at a time, where all are merged into one."""

_wanted = wanted()
_OF_GROUPS = (
    sa.select(sa.cast(_wanted.c.number - 1, sa.Integer), DailyStatistics.histogram)
    .join_from(_wanted, DailyStatistics, DailyStatistics.customer_id == _wanted.c.customer_id)
    .where(DailyStatistics.date.between(sa.bindparam("first"), sa.bindparam("last")))
)
_group: sa.ColumnElement[int] = sa.literal_column("0")
_OF_DAY = sa.select(_group, DailyStatistics.histogram)


class TooManyHistogramsError(Exception):
    """The percentiles that are asked for need more histograms than one answer may merge."""


async def percentiles(
    connection: AsyncConnection, customers: Sequence[str], days: DateRange
) -> list[tuple[int, ...]]:
    """Return p50, p90, p95 and p99 of each customer over a range; zeros for one without durations.

    In microseconds, and not yet kept `within` minimum and maximum.

    Raises
    ------
    TooManyHistogramsError
        If they have more than `MAX_BYTES`.
    """
    rows = bytearray()

    async def collect(piece: bytes) -> None:
        rows.extend(piece)
        if len(rows) > MAX_BYTES:
            raise TooManyHistogramsError(f"the histograms have more than {MAX_BYTES >> 20} MiB")

    parameters = {"customers": list(customers), "first": days.first, "last": days.last}
    await copy(connection, _OF_GROUPS, parameters, collect)
    del rows[:HEADER_BYTES]
    return await asyncio.to_thread(percentiles_of_groups, rows, len(customers))


async def total(connection: AsyncConnection, date: dt.date) -> LatencyHistogram:
    """Return the sum of all customers' histograms of a day; few of them are in memory at a time."""
    rows, merged, skipped = bytearray(), LatencyHistogram(), HEADER_BYTES

    async def merge() -> None:
        nonlocal merged
        piece, length = await asyncio.to_thread(LatencyHistogram.of_rows, rows)
        del rows[:length]
        merged += piece

    async def collect(piece: bytes) -> None:
        nonlocal skipped
        rows.extend(piece[skipped:])
        skipped = 0  # the first piece is longer than the header
        if len(rows) > _PIECE_BYTES:
            await merge()

    # A literal: a parameter would be two more round trips.
    day: sa.ColumnElement[dt.date] = sa.literal_column(f"DATE '{date}'")
    await copy(connection, _OF_DAY.where(DailyStatistics.date == day), {}, collect)
    await merge()
    if rows:
        raise ValueError("malformed rows of histograms")
    return merged


def within(
    values: Sequence[int], least_us: int | None, most_us: int | None
) -> tuple[int, ...] | tuple[None, ...]:
    """Keep percentiles within minimum and maximum; None where there are no durations."""
    if least_us is None or most_us is None:
        return (None,) * len(values)
    return tuple(min(max(value, least_us), most_us) for value in values)
