"""The native format, rule by rule: what it means is its declaration, read by the scalar reader."""

import datetime as dt
from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from logstats.domain.line import MAX_LINE_BYTES
from logstats.domain.reader import Reader, RejectReason, Request, Skipped
from logstats.formats import presets
from logstats.native import Aggregator

READER = Reader(presets()["logstats"])
VALID = ["2024-09-03", "12:00:01", "cust_1", "/api/v1/resource1", "200", "0.123"]


def read(line: bytes) -> Request | RejectReason | Skipped | None:
    return READER.read(line)


def verdict(**fields: str) -> Request | RejectReason | Skipped | None:
    """What is made of a valid line in which some fields are replaced."""
    names = ("date", "time", "customer", "path", "status", "duration")
    line = [fields.get(name, valid) for name, valid in zip(names, VALID, strict=True)]
    return read(" ".join(line).encode())


def accepted(**fields: str) -> Request:
    line = verdict(**fields)
    assert isinstance(line, Request)
    return line


def test_a_line_is_read() -> None:
    noon_ns = int(dt.datetime(2024, 9, 3, 12, tzinfo=dt.UTC).timestamp()) * 10**9
    line = read(b"2024-09-03 12:00:01 cust_1 /api/v1/resource1 200 0.123")
    assert line == Request(noon_ns + 10**9, "cust_1", None, "/api/v1/resource1", 200, 123_000)


def test_one_trailing_cr_is_dropped() -> None:
    assert read(" ".join(VALID).encode() + b"\r") == verdict()
    assert read(" ".join(VALID).encode() + b"\r\r") is RejectReason.DURATION


@pytest.mark.parametrize("blank", [b"", b"\r"])
def test_a_blank_line_is_no_line(blank: bytes) -> None:
    assert read(blank) is None


@pytest.mark.parametrize("line", [b" ", b"     ", b"\r\r", b"\t", b"\0", "\u3000".encode()])
def test_spaces_are_not_blank(line: bytes) -> None:
    fields = line.removesuffix(b"\r").count(b" ") + 1
    assert read(line) is (RejectReason.TIMESTAMP if fields == 6 else RejectReason.LAYOUT)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"2024-09-03 12:00:01 cust_1 /a 200", "layout"),
        (b"2024-09-03 12:00:01 cust_1 /a 200 0.1 x", "layout"),
        (b"2024-09-03 12:00:01 cust_1 /a 200 0.1 ", "layout"),
        (b" 2024-09-03 12:00:01 cust_1 /a 200 0.1", "layout"),
        (b"2024-09-03  12:00:01 cust_1 /a 200 0.1", "layout"),
        (b"2024-09-03\t12:00:01\tcust_1\t/a\t200\t0.1", "layout"),
        ("2024-09-03\u00a012:00:01 cust_1 /a 200 0.1".encode(), "layout"),
        (b"2024-09-03T12:00:01 cust_1 /a 200 0.1", "layout"),
        (b"2024-09-03 12:00:01 cust 1 /a 200", "request_path"),
        (b"\xef\xbb\xbf2024-09-03 12:00:01 cust_1 /a 200 0.1", "timestamp"),  # only a file's BOM is dropped
    ],
)
def test_six_fields_are_separated_by_single_spaces(line: bytes, reason: str) -> None:
    assert read(line) == reason


REJECTED = {
    ("date", RejectReason.TIMESTAMP): (
        "0000-01-01 2023-02-29 2100-02-29 2024-02-30 2024-04-31 2024-00-01 2024-13-01 2024-01-00 2024-01-32 2024-1-01"
        " 2024-01-1 20240101 2024/01/01 +024-01-01 2024-W01-1 24-01-01 2024-01-01Z"
        " \u0662\u0660\u0662\u0664-\u0660\u0661-\u0660\u0661"
    ).split(),
    ("time", RejectReason.TIMESTAMP): (
        "24:00:00 12:60:00 12:00:60 23:59:60 1:00:00 12:0:00 120000 12-00-00 12:00 12:00:00. 12:00:00+2 -1:00:00"
        " \u0661\u0662:00:00"
    ).split(),
    ("customer", RejectReason.CUSTOMER_ID): ["x" * 256, "é" * 256],
    ("path", RejectReason.REQUEST_PATH): ["", "-", "*", "a", "api/", "\\a", "\u2215a", "1://a"],
    ("status", RejectReason.STATUS_CODE): [
        "",
        *"99 099 600 999 1000 20 2000 -20 +20 2.0 00 2xx \u0662\u0660\u0660 ²00".split(),
    ],
}


@pytest.mark.parametrize(
    ("field", "reason", "text"), [(*which, text) for which, texts in REJECTED.items() for text in texts]
)
def test_fields_that_are_none(field: str, reason: RejectReason, text: str) -> None:
    assert verdict(**{field: text}) is reason


@pytest.mark.parametrize("date", ["9999-12-31", "0001-01-01", "2200-01-01", "1969-12-31"])
def test_trap_18_the_ends_of_the_calendar_are_rejected(date: str) -> None:
    """Windows overflow there: parser and kernel both keep such days out of the flow."""
    line = " ".join([date, *VALID[1:]]).encode()
    assert read(line) is RejectReason.TIMESTAMP
    aggregator = Aggregator()
    aggregator.feed(line)
    assert aggregator.counts.rejected_by_reason == {RejectReason.TIMESTAMP: 1}


@pytest.mark.parametrize("date", ["1970-01-01", "2199-12-31", "2000-02-29", "2024-02-29", "2096-02-29"])
def test_dates(date: str) -> None:
    midnight = dt.datetime.fromisoformat(f"{date}T00:00:00+00:00")
    assert accepted(date=date, time="00:00:00").timestamp_ns == int(midnight.timestamp()) * 10**9


@pytest.mark.parametrize(
    "time", ["00:00:00", "09:59:59", "19:00:00", "20:00:00", "23:59:59.9", "01:00:00Z", "12:34:56,789+02:00"]
)
@pytest.mark.parametrize("path", ["/", "//", "/ä", "/?a=b&c#d", "/\u00a0", "/" + "x" * 60_000, "http://a/b"])
def test_times_and_paths(time: str, path: str) -> None:
    accepted(time=time, path=path)


@pytest.mark.parametrize(
    "customer", ["c", "x" * 255, "é" * 255, "😀" * 255, "\u00a0", "a\u2028b", "\ufeff", "\u200b", "/", "200"]
)
def test_customers(customer: str) -> None:
    assert accepted(customer=customer).customer_id == customer


@pytest.mark.parametrize("code", [*range(0x20), *range(0x7F, 0xA0)])
def test_no_control_characters(code: int) -> None:
    if chr(code) != "\n":
        assert verdict(customer=f"a{chr(code)}") is RejectReason.CUSTOMER_ID
        assert verdict(path=f"/{chr(code)}") is RejectReason.REQUEST_PATH
        accepted(path=f"/?{chr(code)}")


@pytest.mark.parametrize("absent", ["", "-"])
def test_a_request_without_a_customer_counts_for_one_that_is_none(absent: str) -> None:
    assert accepted(customer=absent).customer_id == "-"


@pytest.mark.parametrize("closed", ["-", "000", "0", "-1"])
def test_no_status_is_that_of_a_client_that_was_gone(closed: str) -> None:
    assert accepted(status=closed).status_code == 499


@pytest.mark.parametrize("absent", ["", "-", "-1"])
def test_a_request_without_a_duration_counts(absent: str) -> None:
    assert accepted(duration=absent).duration_us is None


@pytest.mark.parametrize("duration", ["0.1", "90000", "nonsense"])
def test_an_upgraded_connection_has_no_duration(duration: str) -> None:
    assert accepted(status="101", duration=duration).duration_us is None


def test_a_value_in_quotes_loses_them() -> None:
    assert accepted(customer='"c"').customer_id == "c"
    assert accepted(customer='"').customer_id == '"'


def test_a_time_may_have_a_fraction_and_an_offset() -> None:
    plain = accepted().timestamp_ns
    assert accepted(time="12:00:01.0123456789").timestamp_ns == plain + 12_345_678
    assert accepted(time="12:00:01-0130").timestamp_ns == plain + 5400 * 10**9


def test_statuses() -> None:
    for status in range(100, 600):
        assert accepted(status=str(status)).status_code == status


@pytest.mark.parametrize(
    ("duration", "microseconds"),
    [
        ("0", 0),
        ("12", 12_000_000),
        ("5.", 5_000_000),
        ("9.05e-05", 90),
        ("5.0E-4", 500),
        ("1e3", 1_000_000_000),
        ("1E+3", 1_000_000_000),
        ("1e-999999999999999999999999", 0),
        ("0e999999999999999999999999", 0),
        ("864e00000000000000002", 86_400_000_000),
        ("0." + "0" * 9_999 + "1e10000", 1_000_000),
        ("0012", 12_000_000),
        ("0.5", 500_000),
        (".5", 500_000),
        (".000001", 1),
        ("86400", 86_400_000_000),
        ("86400.0000000000", 86_400_000_000),
        ("0" * 100 + "86400." + "0" * 100, 86_400_000_000),
        ("86399.9999995", 86_400_000_000),
        ("86399.99999949", 86_399_999_999),
        ("0.0000005", 0),
        ("0.0000015", 2),
        ("0.0000025", 2),
        ("0.00000050", 0),
        ("0.0000004999", 0),
        ("0.00000051", 1),
        ("0.9999995", 1_000_000),
        # Rounded once: not first to 28 digits, as Decimal's arithmetic would, and then to six decimals.
        ("0.00000050000000000000000000000000000000001", 1),
        ("0.99999949999999999999999999999999999", 999_999),
    ],
)
def test_durations_round_half_even_to_microseconds(duration: str, microseconds: int) -> None:
    assert accepted(duration=duration).duration_us == microseconds


@pytest.mark.parametrize(
    "duration",
    [
        *". e3 .e3 1e 1e+ 1e3.5 1e4e4 -2 +1 -0 -1.0 1e5 1e999999999999999999999999 nan inf 0x1 1,5 1_0 1.2.3 1..2 \u0660.\u0665 ² 86401 86400.1 86400.000001 86400.0000001 100000 1s".split(),
        "86400." + "0" * 100 + "1",
        "9" * 60_000,
        "\t1",
        "1\x85",
    ],
)
def test_durations_that_are_none(duration: str) -> None:
    assert verdict(duration=duration) is RejectReason.DURATION


@given(st.integers(0, 86_399), st.text("0123456789", min_size=1, max_size=60))
@example(0, "000000" + "5" + "0" * 40 + "1")
def test_durations_are_exact(seconds: int, decimals: str) -> None:
    """`round` of a `Fraction` rounds half to even, exactly."""
    text = f"{seconds}.{decimals}"
    assert accepted(duration=text).duration_us == round(Fraction(text) * 1_000_000)


@pytest.mark.parametrize(
    "bad",
    [
        b"\xff",
        b"\x80",  # a continuation of nothing
        b"\xc3",  # cut off
        b"\xe2\x82",
        b"\xc0\x80",  # overlong NUL
        b"\xc1\xbf",
        b"\xe0\x9f\xbf",
        b"\xf0\x8f\xbf\xbf",
        b"\xed\xa0\x80",  # surrogate
        b"\xf4\x90\x80\x80",  # beyond U+10FFFF
        b"\xf8\x88\x80\x80\x80",
    ],
)
def test_only_utf8(bad: bytes) -> None:
    line = " ".join(VALID).encode()
    assert read(line.replace(b"cust_1", b"a" + bad + b"b")) is RejectReason.ENCODING
    assert read(line + bad) is RejectReason.ENCODING


def test_a_line_has_at_most_64_kib() -> None:
    longest = " ".join([*VALID[:3], "/" + "x" * (MAX_LINE_BYTES - 38), *VALID[4:]]).encode()
    longest += b"0" * (MAX_LINE_BYTES - len(longest))
    assert len(longest) == 65_536
    assert isinstance(read(longest), Request)
    assert isinstance(read(longest + b"\r"), Request)
    assert read(longest + b"0") is RejectReason.TOO_LONG
    assert read(longest + b"0\r") is RejectReason.TOO_LONG


def test_the_first_reason_that_applies_is_given() -> None:
    """A line with everything wrong, set right one thing after the other, in the order of the reasons."""
    fields = ["2024-02-30", "12:00:01", "\0", "a", "600", "5s", "7"]
    given_reasons = []
    line = " ".join(fields).encode()
    given_reasons.append(read(line + b"\xff" * MAX_LINE_BYTES))
    given_reasons.append(read(line + b"\xff"))
    given_reasons.append(read(line))
    del fields[6]
    for place, right in ((0, "2024-02-29"), (2, "c"), (3, "/a"), (4, "200"), (5, "5")):
        given_reasons.append(read(" ".join(fields).encode()))
        fields[place] = right
    assert given_reasons == list(RejectReason)
    assert isinstance(read(" ".join(fields).encode()), Request)
