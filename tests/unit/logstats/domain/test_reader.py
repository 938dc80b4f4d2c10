"""Lines come to what their declaration says, whatever the layout."""

import json
from typing import Any

import pytest

from logstats.domain.format import parse_format
from logstats.domain.reader import SKIPPED, Reader, RejectReason, Request

DECLARED = """
layout = "json"
skip = ["#", "//"]
only = { kind = ["http*", "h?2"] }

[timestamp]
value = ["day", "time"]
form = "iso8601"
zone = "+02:00"

[customer]
value = ["user", "@target", "@path"]

[status]
value = "status"
closed = ["", "0"]

[duration]
value = ["a", "b"]
unit = "ms"

[request]
value = "request"
"""
VALUES: dict[str, Any] = {
    "kind": "http", "day": "2024-09-03", "time": "02:00:00", "user": "acme", "status": 200, "a": 1, "b": 2,
    "request": "GET /a?b HTTP/1.1",
}  # fmt: skip
MIDNIGHT = 1_725_321_600
PART = '["user", "@target", "@path"]'


def read(declared: str = DECLARED, **values: Any) -> Any:  # noqa: ANN401 - a verdict
    return Reader(parse_format(declared)).read(json.dumps(VALUES | values).encode())


def test_a_request() -> None:
    assert read() == Request(MIDNIGHT * 10**9, "acme", "GET", "/a", 200, 3000)


@pytest.mark.parametrize("line", [b"", b"\r"])
def test_a_blank_line_is_none(line: bytes) -> None:
    assert Reader(parse_format(DECLARED)).read(line) is None


@pytest.mark.parametrize("line", [b"#", b"// x", b"#\xff", b"#" + b"x" * 70_000])
def test_a_comment_is_skipped(line: bytes) -> None:
    assert Reader(parse_format(DECLARED)).read(line) is SKIPPED


@pytest.mark.parametrize(
    ("kind", "taken"),
    [
        *(("http", True), ("https", True), ("http\n.*", True), ("hé2", False), ("h.2", True), ("h2", False), ("h222", False)),
        *(("xhttp", False), ("HTTP", False), ("-", False), ("", False), (None, False), ("http\ud800", False)),
    ],
)  # fmt: skip
def test_a_line_that_matches_no_pattern_is_skipped(kind: str | None, taken: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert isinstance(read(kind=kind), Request) is taken
    assert read(kind=kind, day="nonsense") is (RejectReason.TIMESTAMP if taken else SKIPPED)


def test_a_pattern_with_many_stars_is_looked_for_once() -> None:
    declared = DECLARED.replace('"h?2"', '"*a*a*a*a*a*b"')
    kinds = ("a" * 60_000, False), ("aaaa" * 100 + "b", True), ("aaaab", False)
    for kind, taken in kinds:
        assert isinstance(read(declared, kind=kind), Request) is taken


def test_only_is_looked_at_before_a_line_without_pairs_is_rejected() -> None:
    declared = DECLARED.replace('"json"', '"logfmt"\nprefix = "{kind} "')
    reader = Reader(parse_format(declared))
    assert reader.read(b"http words") is RejectReason.LAYOUT
    assert reader.read(b"cron words") is SKIPPED
    assert reader.read(b"words") is RejectReason.LAYOUT
    assert Reader(parse_format(DECLARED)).read(b"words") is RejectReason.LAYOUT


@pytest.mark.parametrize(
    ("day", "time"), [(None, "02:00:00"), ("2024-09-03", "-"), ("2024-09", "02:00:00"), ("\ud800", "x")]
)
def test_a_moment_needs_all_its_values(day: str | None, time: str) -> None:
    assert read(day=day, time=time) is RejectReason.TIMESTAMP


def test_a_line_from_the_future_is_rejected() -> None:
    reader = Reader(parse_format(DECLARED))
    line = json.dumps(VALUES).encode()
    assert isinstance(reader.read(line, MIDNIGHT), Request)
    assert reader.read(line, MIDNIGHT - 1) is RejectReason.TIMESTAMP
    assert reader.read(json.dumps(VALUES | {"user": "\x00"}).encode(), MIDNIGHT - 1) is RejectReason.TIMESTAMP


@pytest.mark.parametrize(
    ("request_line", "method", "path"),
    [
        ("GET /a HTTP/1.1", "GET", "/a"),
        ("GET /a b c HTTP/1.1", "GET", "/a b c"),
        ("GET /a", "GET", "/a"),
        ("GET", "GET", None),
        ("GET - HTTP/1.1", "GET", None),
        ("GET  HTTP/1.1", "GET", None),
        ("- https://h:80/b?c ", None, "/b"),
        ("OPTIONS * HTTP/1.1", "OPTIONS", None),
        ("", None, None),
        ("-", None, None),
        (None, None, None),
    ],
)
def test_a_request_line(request_line: str | None, method: str | None, path: str | None) -> None:
    request = read(request=request_line)
    assert (request.method, request.path) == (method, path)


def test_method_and_target_apart() -> None:
    declared = DECLARED.replace('value = "request"', 'method = "m"\ntarget = "t"')
    request = read(declared, m="GET", t="/a?b")
    assert (request.method, request.path) == ("GET", "/a")
    request = read(declared.replace('method = "m"', ""), m="GET", t="-")
    assert (request.method, request.path) == (None, None)
    request = read(declared[: declared.index("[request]")].replace(PART, '"user"'))
    assert (request.method, request.path) == (None, None)


@pytest.mark.parametrize(
    ("request_line", "accepted"),
    [("GET /a\x00?b X", False), ("GET /a?\x00 X", True), ("GET * X", False), ("GET /\ud800 X", False), ("GET /\x85 X", False)],
)  # fmt: skip
def test_a_path_that_is_required(request_line: str, *, accepted: bool) -> None:
    verdict = read(DECLARED + "required = true", request=request_line)
    assert isinstance(verdict, Request) if accepted else verdict is RejectReason.REQUEST_PATH
    assert isinstance(read(request=request_line), Request)


@pytest.mark.parametrize(
    ("values", "customer"),
    [
        ({"user": "acme"}, "acme"),
        ({"user": "-"}, "/a?b"),
        ({"user": ""}, "/a?b"),
        ({"user": {}}, "/a?b"),
        ({"user": None, "request": "GET"}, "-"),
        ({"user": 7}, "7"),
        ({"user": "é" * 255}, "é" * 255),
        ({"user": "é" * 256}, RejectReason.CUSTOMER_ID),
        ({"user": "a\x7f"}, RejectReason.CUSTOMER_ID),
        ({"user": "a\ud83d"}, RejectReason.CUSTOMER_ID),
        ({"user": "a\u2028 \u200b"}, "a\u2028 \u200b"),
    ],
)
def test_a_customer_is_the_first_value_that_is_there(values: dict[str, Any], customer: object) -> None:
    verdict = read(**values)
    assert (verdict.customer_id if isinstance(verdict, Request) else verdict) == customer


@pytest.mark.parametrize(
    ("part", "values", "customer"),
    [
        ("split(/)[1]", {"user": "x/acme"}, "acme"),
        ("split(/)[1]", {"user": "x/-"}, "a?b"),
        ("split(/)[1]", {"user": "x"}, "a?b"),
        ("path[0]", {"user": None}, "a"),
        ("query.key", {"user": None, "request": "GET /a?key=acme X"}, "acme"),
        ("host[0]", {"user": None, "request": "GET https://acme.example.com/ X"}, "acme"),
        ("host[0]", {"user": None}, "-"),
        ("split(/)[1]", {"user": "\ud800/acme"}, RejectReason.CUSTOMER_ID),
        ("split(/)[1]", {"user": "x/" + "y" * 256}, RejectReason.CUSTOMER_ID),
    ],
)
def test_a_customer_is_a_part_of_a_value(part: str, values: dict[str, Any], customer: object) -> None:
    verdict = read(DECLARED.replace(PART, f"{PART}\npart = '{part}'"), **values)
    assert (verdict.customer_id if isinstance(verdict, Request) else verdict) == customer


@pytest.mark.parametrize(
    ("status", "code"),
    [
        *((100, 100), ("599", 599), (0, 499), ("", 499), (None, 499), ({}, 499)),
        *((text, RejectReason.STATUS_CODE) for text in ("-", "00", 99, 600, "2xx", "+20", 200.0, "٢٠٠", True, "0\ud800")),
    ],
)  # fmt: skip
def test_a_status(status: object, code: object) -> None:
    verdict = read(status=status)
    assert (verdict.status_code if isinstance(verdict, Request) else verdict) == code


@pytest.mark.parametrize(
    ("values", "microseconds"),
    [
        ({"a": 0.0005, "b": 0.0015}, 2),
        *(({"a": absent, "b": 2}, None) for absent in ("-", "", None, "-1", -1)),
        ({"a": "-", "b": "nonsense"}, None),
        ({"a": "nonsense", "b": -1}, None),
        ({"a": "nonsense"}, RejectReason.DURATION),
        ({"a": -2}, RejectReason.DURATION),
        ({"a": 43_200_000, "b": 43_200_000}, 86_400_000_000),
        ({"a": 43_200_000, "b": 43_200_001}, RejectReason.DURATION),
        ({"a": "nonsense", "status": 101}, None),
    ],
)
def test_a_duration_is_a_sum(values: dict[str, Any], microseconds: object) -> None:
    verdict = read(**values)
    assert (verdict.duration_us if isinstance(verdict, Request) else verdict) == microseconds


@pytest.mark.parametrize(
    ("start", "end", "microseconds"),
    [
        (1_000, 3_500, 2),
        (1_000, None, None),
        (-1, 1_000, None),
        (2_000, 1_000, RejectReason.DURATION),
        ("x", 1_000, RejectReason.DURATION),
    ],
)
def test_a_duration_is_an_interval(start: object, end: object, microseconds: object) -> None:
    declared = DECLARED.replace(
        'value = ["a", "b"]\nunit = "ms"', 'from = "start"\nto = "end"\nform = "epoch_ns"'
    )
    verdict = read(declared, start=start, end=end)
    assert (verdict.duration_us if isinstance(verdict, Request) else verdict) == microseconds


def test_a_format_may_have_no_duration() -> None:
    declared = DECLARED.replace('[duration]\nvalue = ["a", "b"]\nunit = "ms"\n', "")
    assert read(declared, a="nonsense").duration_us is None


def test_the_names_of_columns_can_be_told() -> None:
    """A range that begins amid a file is read with the header before it."""
    declared = DECLARED.replace('"json"', '"columns"\nseparator = "tab"')
    header = b"#Fields: kind\tday\ttime\tuser\tstatus"
    line = b"http\t2024-09-03\t02:00:00\tacme\t204"
    reader = Reader(parse_format(declared))
    assert reader.read(line) is RejectReason.LAYOUT
    assert reader.header == b""
    assert reader.read(header + b"\r") is SKIPPED
    assert reader.header == header
    assert reader.read(line) == Request(MIDNIGHT * 10**9, "acme", None, None, 204, None)
    other = Reader(parse_format(declared))
    other.header = header
    assert other.read(line) == reader.read(line)
    assert other.values(line + b"\r")["user"] == "acme"


def test_a_header_means_nothing_where_there_are_no_columns() -> None:
    reader = Reader(parse_format(DECLARED))
    reader.header = b"#Fields: a"
    assert reader.header == b""
