"""Values say moments, durations, parts of addresses."""

import datetime as dt
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstats.domain.format import Form, Unit
from logstats.domain.notation import parse_part
from logstats.domain.values import (
    parse_duration,
    parse_interval,
    parse_timestamp,
    path_of,
    take_part,
)

NOON = int(dt.datetime(2024, 9, 3, 12, 34, 56, tzinfo=dt.UTC).timestamp()) * 10**9
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - UTC
HOUR = 3600 * 10**9


@pytest.mark.parametrize(
    ("form", "text", "timestamp_ns"),
    [
        ("iso8601", "2024-09-03T12:34:56", NOON),
        ("iso8601", "2024-09-03 12:34:56Z", NOON),
        ("iso8601", "2024-09-03 12:34:56 Z", NOON),
        ("iso8601", "2024-09-03T12:34:56.5", NOON + 500_000_000),
        ("iso8601", "2024-09-03T12:34:56,123456789999Z", NOON + 123_456_789),
        ("iso8601", "2024-09-03T12:34:56+02", NOON - 2 * HOUR),
        ("iso8601", "2024-09-03T12:34:56-0230", NOON + HOUR * 5 // 2),
        ("iso8601", "2024-09-03T12:34:56.25 +05:30", NOON + 250_000_000 - HOUR * 11 // 2),
        ("iso8601", "1969-12-31T23:00:00-02:00", HOUR),
        ("iso8601", "2200-01-01T00:30:00+01:00", 7_258_118_400 * 10**9 - HOUR // 2),
        ("clf", "03/Sep/2024:12:34:56", NOON),
        ("clf", "03/Sep/2024:12:34:56 +0200", NOON - 2 * HOUR),
        ("clf", "03/Sep/2024:12:34:56.417", NOON + 417_000_000),
        ("clf", "03/Sep/2024:12:34:56.417Z", NOON + 417_000_000),
        ("epoch_s", "1725366896", NOON),
        ("epoch_s", "1725366896.000000001999", NOON + 1),
        ("epoch_s", "1.725366896e9", NOON),
        ("epoch_ms", "1725366896000.5", NOON + 500_000),
        ("epoch_us", "1725366896000000", NOON),
        ("epoch_ns", "1725366896000000000.9", NOON),
        ("epoch_ns", "0", 0),
        ("epoch_s", "7258118399.9999999999", 7_258_118_400 * 10**9 - 1),
    ],
)
def test_a_moment(form: Form, text: str, timestamp_ns: int) -> None:
    assert parse_timestamp(text, form, 0) == timestamp_ns


@pytest.mark.parametrize(
    ("form", "text"),
    [
        *(("iso8601", text) for text in (
            "", "2024-09-03", "2024-09-03t12:34:56", "2024-09-03  12:34:56", "2024-9-03T12:34:56", "2024-02-30T12:34:56",
            "0000-01-01T00:00:00", "2024-09-03T24:00:00", "2024-09-03T12:34:60", "2024-09-03T12:34", "2024-09-03T12:34:56.",
            "2024-09-03T12:34:56z", "2024-09-03T12:34:56+2", "2024-09-03T12:34:56+24", "2024-09-03T12:34:56+02:60",
            "2024-09-03T12:34:56  Z", "2024-09-03T12:34:56 ", "1969-12-31T23:59:59", "1970-01-01T00:00:00+00:01",
            "2200-01-01T00:00:00", "2199-12-31T23:59:59-00:01", "٢٠٢٤-09-03T12:34:56", "2024-09-03T12:34:56\n",
        )),
        *(("clf", text) for text in (
            "", "3/Sep/2024:12:34:56", "03/sep/2024:12:34:56", "03/Foo/2024:12:34:56", "31/Sep/2024:12:34:56",
            "03/Sep/2024 12:34:56", "03/Sep/2024:12:34:56,5", "[03/Sep/2024:12:34:56]", "03/Sep/0000:12:34:56",
        )),
        *((form, text) for form in get_args(Form)[2:] for text in ("", "-1", "+1", "now", "1e99", "9e999999999999")),
        ("epoch_s", "7258118400"),
    ],
)  # fmt: skip
def test_moments_that_are_none(form: Form, text: str) -> None:
    assert parse_timestamp(text, form, 0) is None


def test_the_zone_is_of_a_text_that_has_none() -> None:
    assert parse_timestamp("2024-09-03T14:34:56", "iso8601", 7200) == NOON
    assert parse_timestamp("03/Sep/2024:12:34:56 +0000", "clf", 7200) == NOON
    assert parse_timestamp("2024-09-03T12:34:56Z", "iso8601", 7200) == NOON
    assert parse_timestamp("1725366896", "epoch_s", 7200) == NOON


@given(
    st.datetimes(EPOCH, EPOCH.replace(year=2199)),
    st.sampled_from(["%Y-%m-%dT%X.%f", "%d/%b/%Y:%X.%f"]),
)
def test_moments_are_those_of_datetime(moment: dt.datetime, form: str) -> None:
    expected = (moment - EPOCH) // dt.timedelta(microseconds=1) * 1000
    assert parse_timestamp(moment.strftime(form), "clf" if "%b" in form else "iso8601", 0) == expected


@pytest.mark.parametrize(
    ("text", "unit", "microseconds"),
    [
        ("1.5", "s", 1_500_000),
        ("1.5", "ms", 1500),
        ("1.5", "us", 2),
        ("2.5", "us", 2),
        ("1500", "ns", 2),
        ("499.9", "ns", 0),
        ("86400e9", "us", None),
        ("86400000000.0", "us", 86_400_000_000),
        ("18ms", "suffix", 18_000),
        ("0.058927s", "suffix", 58_927),
        ("7us", "suffix", 7),
        ("7µs", "suffix", 7),
        ("7000ns", "suffix", 7),
        ("1e3ns", "suffix", 1),
        *((text, "suffix", None) for text in ("", "s", "18", "18 ms", "-1ms", "18m", "18mss", "1h", "18ms ")),
    ],
)
def test_a_duration(text: str, unit: Unit, microseconds: int | None) -> None:
    assert parse_duration(text, unit) == microseconds


@pytest.mark.parametrize(
    ("start", "end", "microseconds"),
    [
        ("0", "1500", 2),
        ("0", "2500", 2),
        ("5", "5", 0),
        ("5", "4", None),
        ("0", "86400000000000", 86_400_000_000),
        ("0", "86400000000001", None),
        ("x", "1", None),
        ("1", "x", None),
    ],
)
def test_an_interval(start: str, end: str, microseconds: int | None) -> None:
    assert parse_interval(start, end, "epoch_ns", 0) == microseconds


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", "/"),
        ("/a/b?c=/d#e", "/a/b"),
        ("/a#b?c", "/a"),
        ("//a", "//a"),
        ("https://h:443/a?b", "/a"),
        ("https://h", "/"),
        ("https://h?b", "/"),
        ("https:///a", "/a"),
        ("a+b.c-1://h/a", "/a"),
        ("*", None),
        ("a/b", None),
        ("1://h/a", None),
        ("h:443", None),
    ],
)
def test_the_path_of_a_target(target: str, path: str | None) -> None:
    assert path_of(target) == path


URL = "https://user:secret@acme.api.example.com:443/v1/orders/?key=a%20b&key=c&empty=&flag#x?late=1"  # pragma: allowlist secret


@pytest.mark.parametrize(
    ("value", "part", "taken"),
    [
        (URL, "host", "acme.api.example.com"),
        (URL, "host[0]", "acme"),
        (URL, "host[-1]", "com"),
        (URL, "host[4]", None),
        (URL, "host[-5]", None),
        (URL, "path[0]", "v1"),
        (URL, "path[1]", "orders"),
        (URL, "path[-1]", ""),
        (URL, "path[3]", None),
        (URL, "query.key", "a%20b"),
        (URL, "query.empty", ""),
        (URL, "query.flag", ""),
        (URL, "query.late", None),
        (URL, "query.Key", None),
        ("/v1/orders", "host", ""),
        ("/v1/orders", "path[0]", "v1"),
        ("/v1/orders", "query.key", None),
        ("?key=1", "query.key", "1"),
        ("v1/orders", "path[0]", None),
        ("a@b@acme.example.com:80/x", "host", "acme.example.com"),
        ("[::1]:80", "host", "[::1]"),
        ("http://[2001:db8::7]:80/", "host[0]", None),
        ("http://192.0.2.10:80/", "host[0]", None),
        ("http://192.0.2.10:80/", "host", "192.0.2.10"),
        ("http://1.example.com1/", "host[0]", "1"),
        ("80/a", "host[-1]", None),
        ("[::1", "host", "["),
        ("https://?x", "host", ""),
        ("- -", "host", ""),
        ("https://a b:80/", "host[0]", ""),
        ("u v@acme.example.com/a b", "host[0]", "acme"),
        (r"EXAMPLE\acme", r"split(\)[-1]", "acme"),
        ("acme", r"split(\)[-1]", "acme"),
        ("arn:aws:iam::1:user/acme", "split(:)[4]", "1"),
        ("a|b", "split(|)[2]", None),
        ("aéb", "split(é)[1]", "b"),
    ],
)
def test_a_part_of_a_value(value: str, part: str, taken: str | None) -> None:
    assert take_part(value, parse_part(part)) == taken
