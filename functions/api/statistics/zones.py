"""Time zones: which of their days and hours each half-hour of UTC belongs to.

What is kept of a day are half-hours of UTC (`logstats.domain.breakdown`). They fit every zone whose offset is a multiple of 30 minutes.
"""

import datetime as dt
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import pairwise
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

from api.answers.ranges import DateRange
from api.answers.representation import Format
from api.statistics.periods import Interval, first_day
from logstats.domain.breakdown import SLOT_SECONDS, SLOTS_A_DAY
from logstats.domain.line import MAX_YEAR, MIN_YEAR

UTC = "UTC"

_SLOT = dt.timedelta(seconds=SLOT_SECONDS)
_DAY = dt.timedelta(days=1)
_NAME = re.compile(r"[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+){0,2}")
_EARLIEST, _LATEST = dt.date(MIN_YEAR, 1, 1), dt.date(MAX_YEAR, 12, 31)
"""The dates that log lines may have."""
_BETWEEN_CHECKS = dt.timedelta(days=28)


def _known(name: str) -> str:
    if _NAME.fullmatch(name):
        try:
            ZoneInfo(name)
        except (ZoneInfoNotFoundError, ValueError, OSError):  # OSError: a folder of zones
            pass
        else:
            return name
    raise PydanticCustomError(
        "time_zone", "Input should be the IANA name of a time zone, such as Europe/Berlin"
    )


ZoneName = Annotated[str, AfterValidator(_known)]
"""The name of a time zone in the IANA database."""


class UnsupportedOffsetError(ValueError):
    """A zone has an offset that half-hours do not fit; the message says which, and when."""


def _offset(zone: str, moment: dt.datetime) -> dt.timedelta:
    """Return the offset of an aware moment in the zone, if half-hours fit it."""
    offset = moment.utcoffset() or dt.timedelta()
    if offset % _SLOT:
        raise UnsupportedOffsetError(
            f"Input should be a zone whose offset is a multiple of 30 minutes, as half-hours of UTC are kept; "
            f"that of {zone} on {moment.date()} is {moment.isoformat()[19:]}"
        )
    return offset


@lru_cache(maxsize=256)
def check_offsets(zone: str, first: dt.date, last: dt.date) -> None:
    """Refuse a zone that half-hours do not fit from a day to a day: its offset today, or one that it had in history.

    Raises
    ------
    UnsupportedOffsetError
        If there is such an offset for four weeks or more, on one of these days that may have requests; of a shorter one `labels` tells.
    """
    for date in _samples(first, last):
        _offset(zone, dt.datetime.combine(date, dt.time(12), ZoneInfo(zone)))


def _samples(first: dt.date, last: dt.date) -> Iterator[dt.date]:
    date, end = max(first, _EARLIEST), min(last, _LATEST)
    while date < end:
        yield date
        date += _BETWEEN_CHECKS
    if first <= end >= _EARLIEST:
        yield end


def utc_days(zone: str, days: DateRange) -> DateRange:
    """Return the UTC days on which a zone's days are."""
    tz = ZoneInfo(zone)
    begin = dt.datetime.combine(days.first, dt.time(), tz)
    end = dt.datetime.combine(days.last, dt.time(23, 59), tz).replace(fold=1)
    return DateRange(_utc_date(begin, dt.date.min), _utc_date(end, dt.date.max))


def _utc_date(moment: dt.datetime, otherwise: dt.date) -> dt.date:
    try:
        return moment.astimezone(dt.UTC).date()
    except OverflowError:  # at an end of the calendar
        return otherwise


def labels(zone: str, date: dt.date, days: DateRange, interval: Interval, form: Format) -> bytes:
    """Return the labels of a UTC day's 48 half-hours, one behind the other: the period of each, as a row in a form says it.

    The period of an hour is its date and its start with the offset, that of a longer one its first day; the total has each day.
    Half-hours that are on none of the zone's `days` have NUL bytes.

    Raises
    ------
    UnsupportedOffsetError
        If half-hours do not fit the zone on this day.
    """
    dates, texts = _labels(zone, date, interval, form)
    if dates[0] in days and dates[-1] in days:
        return b"".join(texts)
    nothing = bytes(len(texts[0]))
    return b"".join(text if day in days else nothing for day, text in zip(dates, texts, strict=True))


@lru_cache(maxsize=2_048)
def _labels(
    zone: str, date: dt.date, interval: Interval, form: Format
) -> tuple[tuple[dt.date, ...], tuple[bytes, ...]]:
    midnight = dt.datetime.combine(date, dt.time(), dt.UTC)
    moments = [_local(zone, midnight + number * _SLOT) for number in range(-1, SLOTS_A_DAY)]
    dates = tuple(moment.date() for moment in moments[1:])
    if interval is not Interval.HOUR:
        return dates, tuple(first_day(interval, day).isoformat().encode() for day in dates)
    between = '","hour":"' if form is Format.JSON else ","
    starts = (_hour(moment, before) for before, moment in pairwise(moments))
    texts = (f"{day}{between}{start.isoformat()}".encode() for day, start in zip(dates, starts, strict=True))
    return dates, tuple(texts)


def _local(zone: str, moment: dt.datetime) -> dt.datetime:
    local = moment.astimezone(ZoneInfo(zone))
    return local.replace(tzinfo=dt.timezone(_offset(zone, local)))


def _hour(moment: dt.datetime, before: dt.datetime) -> dt.datetime:
    """Return the start of a half-hour's hour: where a change of the clock has cut it in two, of its own half."""
    return moment if moment.minute and moment.utcoffset() != before.utcoffset() else moment.replace(minute=0)
