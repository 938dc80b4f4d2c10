"""One customer's half-hours as the API shows them: added up to hours, or to days and longer periods of a time zone.

The kernel adds them up and writes them: a month by the hour is 720 rows, which would take ten times as long as Python's objects.
"""

import asyncio
import datetime as dt
from collections.abc import Sequence
from typing import NamedTuple

import orjson

from api.answers.ranges import DateRange
from api.answers.representation import NUMBERS, CustomerStatistics, Format, csv_rows
from api.statistics.periods import Interval
from api.statistics.zones import labels
from logstats import native
from logstats.domain.breakdown import SLOTS_A_DAY

_AT_ONCE = 256 * 1024
"""Bytes of breakdowns that are added up between other requests: in a millisecond. More are by a thread."""


class View(NamedTuple):
    """The periods of a customer's days that are shown, and how."""

    customer_id: str
    days: DateRange
    interval: Interval
    zone: str
    form: Format


async def write(view: View, breakdowns: Sequence[tuple[dt.date, bytes]]) -> bytes:
    """Return the rows of the periods that have requests, as `representation.render` does.

    Parameters
    ----------
    breakdowns
        Those of UTC days, in their order; each keeps its slots.

    Raises
    ------
    UnsupportedOffsetError
        If half-hours do not fit the zone on one of these days.
    """
    size = sum(len(data) for _, data in breakdowns)
    return _write(view, breakdowns) if size <= _AT_ONCE else await asyncio.to_thread(_write, view, breakdowns)


def _write(view: View, breakdowns: Sequence[tuple[dt.date, bytes]]) -> bytes:
    of_slots = b"".join(
        labels(view.zone, date, view.days, view.interval, view.form) for date, _ in breakdowns
    )
    label_length = len(of_slots) // (SLOTS_A_DAY * len(breakdowns)) if breakdowns else 0
    key_length = 0 if view.interval is Interval.TOTAL else label_length
    texts = _json_texts(view) if view.form is Format.JSON else _csv_texts(view)
    rows = native.write_periods([data for _, data in breakdowns], of_slots, key_length, texts)
    if view.form is Format.JSON:
        return b"[%b]" % rows
    header = csv_rows([_columns(view.interval)])
    return header + rows + b"\r\n" if rows else header


def _json_texts(view: View) -> list[bytes]:
    first, *others = NUMBERS
    return [
        b'{"customer_id":%b,"date":"' % orjson.dumps(view.customer_id),
        f'","{first}":'.encode(),
        *(f',"{name}":'.encode() for name in others),
        *(b"}", b",", b"null"),
    ]


def _csv_texts(view: View) -> list[bytes]:
    customer = csv_rows([[view.customer_id, ""]]).removesuffix(b"\r\n")
    return [customer, *(b"," for _ in NUMBERS), b"", b"\r\n", b""]


def _columns(interval: Interval) -> list[str]:
    columns = list(CustomerStatistics.model_fields)
    if interval is Interval.HOUR:
        columns.insert(columns.index("date") + 1, "hour")
    return columns
