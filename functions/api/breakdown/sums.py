"""Breakdowns of many days, added up: of one customer or of all, or of each customer by itself.

They come from PostgreSQL as COPY writes them, and are added up by the kernel in a thread, a piece at a time: memory follows the sum.
"""

import asyncio
import struct
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from api.database.copying import HEADER_BYTES, copy
from api.database.reader import Statement
from logstats.domain.breakdown import Breakdown
from logstats.models import DailyStatistics
from logstats.native import ROUTES, sum_breakdowns

MAX_BYTES = 384 * 1024 * 1024
"""Breakdowns that one answer reads: less than 2 s on two cores. 300,000 days of 100 requests have 240 MB."""
MAX_SUM_BYTES = 8 * 1024 * 1024
"""A sum of which rows are made: some 100,000 routes."""

_PIECE_BYTES = 8 * 1024 * 1024
_LENGTH = struct.Struct(">i")
_TRAILER = struct.pack(">h", -1)

_day = DailyStatistics
_in_range = _day.date.between(sa.bindparam("first"), sa.bindparam("last"))
_all: sa.ColumnElement[str] = sa.literal_column("''::text")
OF_ALL: Statement = sa.select(_all, _day.breakdown).where(_in_range)
OF_CUSTOMER = OF_ALL.where(_day.customer_id == sa.bindparam("customer_id"))
_BY_CUSTOMER: Statement = (
    sa.select(_day.customer_id, _day.breakdown).where(_in_range).order_by(_day.customer_id)
)


class TooManyBreakdownsError(Exception):
    """More would have to be added up than an answer may."""


@dataclass(frozen=True, slots=True)
class Sums:
    """Breakdowns added up by a key, and how many days there were without the part that is asked for."""

    by_key: Mapping[bytes, Breakdown]
    days_without: int

    @property
    def total(self) -> Breakdown | None:
        """The sum of all, where there is one key; None without any."""
        return next(iter(self.by_key.values()), None)


class _Adding:
    """Takes rows of a key and a breakdown in COPY's binary format."""

    def __init__(self, part: int, route: bytes | None = None) -> None:
        self._part = part
        self._route = route
        self._skipped = HEADER_BYTES
        self._read = 0
        self._rows = bytearray()
        self._adding: asyncio.Task[None] | None = None
        self.rest = b""
        self.sums: dict[bytes, bytes] = {}
        self.days_without = 0

    async def collect(self, piece: bytes) -> None:
        """Take the next bytes of the rows."""
        self._rows += piece[self._skipped :]
        self._skipped = 0  # the first piece is longer than the header
        self._read += len(piece)
        if self._read > MAX_BYTES:
            raise TooManyBreakdownsError(f"the breakdowns of these days have more than {MAX_BYTES >> 20} MiB")
        if len(self._rows) > _PIECE_BYTES:
            await self.begin()

    async def begin(self) -> None:
        """Begin to add up what has been taken, while more is taken."""
        await self.end()
        data = self.rest + self._rows
        self._rows.clear()
        self._adding = asyncio.create_task(asyncio.to_thread(self._add, data))

    async def end(self) -> None:
        """Wait for the end of what has begun."""
        adding, self._adding = self._adding, None
        if adding is not None:
            await adding

    def _add(self, data: bytes) -> None:
        """Add up the rows that are whole."""
        at, found = 0, defaultdict[bytes, list[bytes]](list)
        for key, breakdown, end in _rows(data):
            at = end
            if breakdown and breakdown[1] & self._part:
                found[key].append(breakdown)
            else:
                self.days_without += 1
        self.rest = data[at:]
        for key, breakdowns in found.items():
            if key in self.sums:
                breakdowns.append(self.sums[key])
            self.sums[key] = sum_breakdowns(breakdowns, self._route, self._part)


def _rows(data: bytes) -> Iterator[tuple[bytes, bytes, int]]:
    """Yield the rows that are whole: the key, the breakdown, empty for none, and where the row ends."""
    # A row is the number of its columns in two bytes, then a length and a value for each.
    length_of, at, end = _LENGTH.unpack_from, 0, len(data)
    while at + 6 <= end:
        key_start = at + 6
        key_end = key_start + length_of(data, at + 2)[0]
        start = key_end + 4
        if start > end:
            return
        at = start + max(0, length_of(data, key_end)[0])  # the length of none is -1
        if at > end:
            return
        yield data[key_start:key_end], data[start:at], at


async def total(
    connection: AsyncConnection, statement: Statement, parameters: Mapping[str, Any], part: int
) -> Sums:
    """Add up one part of the breakdowns of all rows.

    Raises
    ------
    TooManyBreakdownsError
        If they have more than `MAX_BYTES`, or their sum has more than `MAX_SUM_BYTES`.
    """
    return await _added(connection, statement, parameters, _Adding(part))


async def by_customer(connection: AsyncConnection, parameters: Mapping[str, Any], route: bytes) -> Sums:
    """Add up one route of each customer, by the bytes of their ids; the errors are those of `total`."""
    return await _added(connection, _BY_CUSTOMER, parameters, _Adding(ROUTES, route))


async def _added(
    connection: AsyncConnection, statement: Statement, parameters: Mapping[str, Any], adding: _Adding
) -> Sums:
    try:
        await copy(connection, statement, parameters, adding.collect)
        await adding.begin()
    finally:
        await adding.end()
    if adding.rest != _TRAILER:
        raise ValueError("malformed rows of breakdowns")
    if any(len(data) > MAX_SUM_BYTES for data in adding.sums.values()):
        raise TooManyBreakdownsError(f"there are too many routes: more than {MAX_SUM_BYTES >> 20} MiB")
    return Sums({key: Breakdown(data) for key, data in adding.sums.items()}, adding.days_without)
