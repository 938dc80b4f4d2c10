"""The format of a log is told by its first lines, whatever its name."""

import pytest

from logstats.domain.reader import Reader, RejectReason, Request
from logstats.formats import detect, presets
from logstats.formats.detection import SAMPLE_BYTES, SAMPLE_LINES, best, nearest, readings
from tests.logs import random_lines

NATIVE = b"2024-09-03 12:00:00 cust_1 /a 200 0.1\n"
COMBINED = b'192.0.2.10 - acme [03/Sep/2024:02:00:00 +0200] "GET /a HTTP/1.1" 200 1830 "-" "Agent/1 [en]"'
INGRESS = b" 512 0.048 [ns-svc-80] [] 10.0.0.1:80, 10.0.0.2:80 0, 0 1.001, 1.003 502, 200 0123"
JSON = b'{"a": 1}\n'


@pytest.mark.parametrize(
    ("line", "preset"),
    [
        (NATIVE, "logstats"),
        (COMBINED, "combined"),
        (COMBINED.partition(b' "-"')[0], "combined"),
        (b"www.example.com:80 " + COMBINED, "combined"),
        (COMBINED + b" 131", "combined"),
        (COMBINED + b" 0.131", "nginx"),
        (COMBINED + b" 0.131 0.130", "nginx"),
        (COMBINED + b' "192.0.2.1, 192.0.2.2"', "nginx"),
        (COMBINED + b' "192.0.2.1" 0.131', "nginx"),
        (COMBINED + INGRESS, "ingress-nginx"),
        (COMBINED + b' 7 "api@docker" "http://10.0.3.17:8080" 48ms', "traefik-clf"),
        (COMBINED + b" - something else", "combined"),
        (COMBINED + b" 48250 www.example.com", "combined"),  # %D, not $request_time
        (COMBINED + b" 512 0.131", "combined"),  # $request_length before it
        (COMBINED + b" 60.000 -", "nginx"),
        (COMBINED.replace(b"Agent/1 [en]", b"curl/8.0"), "combined"),
        (COMBINED.partition(b' "-"')[0] + b" 01= 02=", "aws-apigateway-clf"),
    ],
)
def test_of_formats_that_are_alike_the_one_that_says_more(line: bytes, preset: str) -> None:
    assert detect(line, complete=True) == preset


def test_half_of_the_lines_are_enough() -> None:
    assert detect(NATIVE + JSON, complete=True) == "logstats"
    assert detect(NATIVE + JSON * 2, complete=True) is None
    assert detect(b"\n\r\n\n" + NATIVE, complete=True) == "logstats"


@pytest.mark.parametrize(
    "log",
    [b"", b"\n\n", JSON, b"\xff\xd8\xff\xe0\x00\x10JFIF", b"\0" * SAMPLE_BYTES, b"[" + b"1," * SAMPLE_BYTES],
)
def test_what_is_no_log(log: bytes) -> None:
    assert detect(log, complete=True) is None


def test_the_first_100_lines_of_64_kib_decide() -> None:
    assert detect(NATIVE * SAMPLE_LINES + JSON * 1000, complete=True) == "logstats"
    assert detect(JSON * SAMPLE_LINES + NATIVE * 1000, complete=True) is None
    assert detect(b"\n\r\n" * SAMPLE_LINES + NATIVE, complete=True) == "logstats"  # blank ones are none
    long = b"2024-09-03 12:00:00 cust_1 /" + b"a" * (SAMPLE_BYTES - 40) + b" 200 0.1\n"
    assert detect(long + JSON * 10, complete=True) == "logstats"
    assert detect(b" " * 20 + long, complete=True) is None


def test_a_line_that_may_be_cut_does_not_count() -> None:
    assert detect(NATIVE[:-1], complete=True) == "logstats"
    assert detect(NATIVE[:-1], complete=False) is None
    assert detect(NATIVE + NATIVE[:10], complete=False) == "logstats"


def test_a_byte_order_mark_does_not_matter() -> None:
    assert detect(b"\xef\xbb\xbf" + NATIVE, complete=True) == "logstats"


def test_lines_that_are_skipped_decide_nothing() -> None:
    header = b"#Version: 1.0\n#Fields: date time cs-method cs-uri-stem cs-username sc-status time-taken\n"
    assert detect(header, complete=True) is None
    assert detect(header + b"2024-09-03 00:00:00 GET /a acme 200 12\n", complete=True) == "iis"


def test_columns_may_be_named_anew() -> None:
    first = b"#Fields: date time cs-method cs-uri-stem sc-status time-taken x-host-header\n2024-09-03\t00:00:00\tGET\t/a\t200\t%b\ta\n"
    later = b"#Fields: date time sc-status time-taken\n2024-09-03\t00:00:00\t200\t1.5\n"
    for seconds in (b"0.5", b"5"):
        assert detect(first % seconds + later, complete=True) == "aws-cloudfront"


def test_what_each_preset_reads() -> None:
    found = {
        each.name: each for each in readings(NATIVE * 3 + NATIVE.replace(b"0.1", b"-") + JSON, complete=True)
    }
    native = found["logstats"]
    assert (native.accepted, native.skipped, native.rejected, native.timed) == (4, 0, 1, 3)
    assert native.problem == (5, JSON[:-1], RejectReason.LAYOUT)
    assert (found["gcp-lb"].accepted, found["gcp-lb"].skipped, found["gcp-lb"].rejected) == (0, 1, 4)
    assert not found["gcp-lb"].fits


@pytest.mark.parametrize(
    ("line", "preset"),
    [
        (COMBINED.replace(b"Sep", b"sep"), "combined"),
        (b'{"started_at": "today", "response": {"status": 200}, "request": {"uri": "/"}}', "kong"),
        (NATIVE.replace(b"200", b"2xx"), "logstats"),
        (b"hello", "logstats"),
    ],
)
def test_the_nearest_is_the_one_that_understands_most(line: bytes, preset: str) -> None:
    found = readings(line, complete=True)
    assert not any(each.fits for each in found)
    assert nearest(found).name == preset


@pytest.mark.parametrize("year", [1970, 1971])
def test_the_kernel_counts_what_is_read_as_the_reader_does(year: int) -> None:
    """Also of a time that no log has, but a number in another unit."""
    line = b"%d-06-01 12:00:00 c /a 200 0.1" % year
    assert (
        detect(line, complete=True)
        == best(readings(line, complete=True))
        == ("logstats" if year > 1970 else None)
    )


def test_no_other_preset_reads_a_native_line() -> None:
    """So that a log all of whose lines the native one reads need not be looked at by the others."""
    lines = [line.encode() for line in random_lines(3, 50)]
    lines += [
        b"2024-09-03 12:00:00 - /a 200 -",
        b'2024-09-03 12:00:00 "q" /a=b - 5.',
        b"2024-09-03 12:00:00.5  /{} 499 1e-3",
    ]
    found = {reading.name: reading.accepted for reading in readings(b"\n".join(lines), complete=True)}
    assert found.pop("logstats") == len(lines)
    assert set(found.values()) == {0}


def test_times_in_another_unit_are_no_times() -> None:
    line = b'{"ClientRequestHost":"a.example","EdgeResponseStatus":200,"EdgeStartTimestamp":%d,"EdgeEndTimestamp":%d}'
    assert detect(line % (1725351302417000000, 1725351302465000000), complete=True) == "cloudflare"
    assert detect(line % (1725351302, 1725351302), complete=True) is None
    assert nearest(readings(line % (1725351302, 1725351302), complete=True)).name == "cloudflare"


@pytest.mark.parametrize(
    "prefix", [b"2024-09-03T08:15:02.368Z stdout F ", b"Sep  3 10:15:02 web nginx: ", b"www:443 "]
)
@pytest.mark.parametrize("end", [b"", b" 131", b" 0.131"])
def test_what_is_written_before_a_line_is_never_in_its_customer(prefix: bytes, end: bytes) -> None:
    line = prefix + COMBINED + end
    read = Reader(presets()[str(detect(line, complete=True))]).read(line)
    assert isinstance(read, Request)
    assert read.customer_id == "acme"
