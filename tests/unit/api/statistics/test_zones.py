import datetime as dt

import pytest

from api.answers.ranges import DateRange
from api.answers.representation import Format
from api.statistics.periods import Interval
from api.statistics.zones import UnsupportedOffsetError, check_offsets, labels, utc_days


def test_a_zones_days_are_on_utc_days() -> None:
    day = dt.date(2024, 9, 3)
    one = DateRange(day, day)
    before, after = day - dt.timedelta(1), day + dt.timedelta(1)
    assert utc_days("Europe/Berlin", one) == DateRange(before, day)
    assert utc_days("America/New_York", one) == DateRange(day, after)
    assert utc_days("UTC", one) == one


def test_at_the_ends_of_the_calendar_there_are_fewer() -> None:
    everything = DateRange(dt.date.min, dt.date.max)
    for zone in ("Etc/GMT-14", "Etc/GMT+12"):
        assert utc_days(zone, everything) == everything


def test_half_hours_of_other_days_have_no_label() -> None:
    """In Berlin, the third of September begins at 22:00 UTC."""
    day = dt.date(2024, 9, 3)
    before = labels("Europe/Berlin", dt.date(2024, 9, 2), DateRange(day, day), Interval.DAY, Format.JSON)
    assert before == bytes(44 * 10) + b"2024-09-03" * 4
    same = labels("Europe/Berlin", day, DateRange(day, day), Interval.DAY, Format.JSON)
    assert same == b"2024-09-03" * 44 + bytes(4 * 10)


def test_an_offset_of_less_than_four_weeks_is_found_by_its_day() -> None:
    """Kathmandu was at +05:30 until the end of 1985."""
    day = dt.date(1985, 12, 31)
    check_offsets("Asia/Kathmandu", day, day)
    with pytest.raises(UnsupportedOffsetError, match="on 1986-01-01 is \\+05:45"):
        check_offsets("Asia/Kathmandu", day, dt.date(1986, 1, 1))
    with pytest.raises(UnsupportedOffsetError, match="is \\+05:45"):
        labels("Asia/Kathmandu", dt.date(2024, 9, 3), DateRange(day, day), Interval.DAY, Format.JSON)


def test_days_that_can_have_no_requests_need_no_offset() -> None:
    """Berlin was at +00:53:28 until 1893: who asks for everything may say so by any early day."""
    for first, last in (
        (dt.date(997, 5, 5), dt.date.max),
        (dt.date.min, dt.date(1969, 12, 31)),
        (dt.date(2200, 1, 1), dt.date.max),
    ):
        check_offsets("Europe/Berlin", first, last)
        check_offsets("Etc/GMT+12", first, last)
    for day in (dt.date(1970, 1, 1), dt.date(2199, 12, 31)):
        with pytest.raises(UnsupportedOffsetError, match=f"on {day} is "):
            check_offsets("Africa/Monrovia" if day.year == 1970 else "Asia/Kathmandu", day, day)
