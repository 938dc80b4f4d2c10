"""Each preset reads the logs that its service writes."""

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstats.domain.format import parse_format
from logstats.domain.reader import SKIPPED, Reader, RejectReason, Request, Skipped
from logstats.formats import NATIVE, customised, detect, load, presets, source_of
from tests.sample_logs import PRESETS, SAMPLES, UNTIMED, Verdict, truth, verdicts

DAY_NS = 86_400 * 10**9
EXACT = {"caddy-json"}
"""The durations of the others are in whole milliseconds, rounded up, down or to the nearest."""


def statistics(requests: list[Request]) -> dict[str, dict[str, Any]]:
    """Totals, errors and durations per customer and day, as the truth has them."""
    found: dict[str, dict[str, Any]] = defaultdict(
        lambda: {"total": 0, "4xx": 0, "5xx": 0, "durations_us": []}
    )
    for request in requests:
        day = day_of(request.timestamp_ns)
        entry = found[f"{request.customer_id} {day}"]
        entry["total"] += 1
        entry["4xx"] += 400 <= request.status_code <= 499
        entry["5xx"] += 500 <= request.status_code <= 599
        entry["durations_us"].append(request.duration_us)
    return dict(found)


def day_of(timestamp_ns: int) -> str:
    return {19_968: "2024-09-02", 19_969: "2024-09-03", 19_970: "2024-09-04"}[timestamp_ns // DAY_NS]


@pytest.mark.parametrize("sample", PRESETS)
def test_the_first_twelve_requests_are_the_truth(sample: str) -> None:
    requests = [verdict for _, verdict in verdicts(sample) if isinstance(verdict, Request)][:12]
    found, known_of = statistics(requests), truth(sample)
    assert found.keys() == known_of.keys()
    for key, entry in found.items():
        expected = known_of[key]
        durations, known = entry.pop("durations_us"), expected.pop("durations_us")
        assert entry == expected
        if sample in UNTIMED:
            assert set(durations) == {None}
        else:
            assert durations == (known if sample in EXACT else pytest.approx(known, rel=0, abs=1000))
            assert sample in EXACT or all(duration % 1000 == 0 for duration in durations)


@pytest.mark.parametrize(("sample", "preset"), PRESETS.items())
def test_a_log_is_detected(sample: str, preset: str) -> None:
    log = (SAMPLES / f"{sample}.log").read_bytes()
    assert detect(log, complete=True) == preset
    assert detect(log[:-10], complete=False) == preset


# ---- The lines with quirks: every line of a sample that is none of the twelve --------------------------


def request(
    customer: str, status: int, duration_us: int | None, path: str | None = None
) -> tuple[object, ...]:
    return customer, status, duration_us, path


SLOW = "/v1/slow"
QUIRKS: dict[str, dict[str, object]] = {
    "apache-combined": {'"a b" [04/Sep/2024:20:50:00': request("a b", 200, 131)},
    "aws-alb": {
        " 460 - ": request("acme", 460, None, SLOW),
        " 503 - ": request("acme", 503, None, "/v1/x"),
        " 301 - ": request("acme", 301, None, "/"),
        "cd+/tmp;wget+ example": request("acme", 400, None, "/shell"),
        '"- http://api-prod.example.com:80- "': request("api-prod", 400, None, "/"),
        'odd\\"agent': request("acme", 200, 15_000, "/v1/orders"),
        "wss ": request("acme", 101, None, "/ws"),
    },
    "aws-apigateway-clf": {"GET - HTTP/1.1": request("-", 403, None)},
    "aws-apigateway-json": {
        '"status":"403"': request("-", 403, None, "/prod/v1/orders"),
        '"status":"504"': request("acme", 504, 29_000_000, "/prod/v1/orders"),
        '"integrationLatency":-': RejectReason.LAYOUT,
    },
    "aws-cloudfront": {
        "#Version": SKIPPED,
        "#Fields": SKIPPED,
        "\t000\t": request("acme", 499, 4_000_000, SLOW),
        "%2520(test)": request("acme", 404, 1_000, "/v1/odd%2520(test)"),
        "\t502\t": request("acme", 502, 102_000, "/v1/x"),
    },
    "aws-s3-access": {"S3.EXPIRE.OBJECT": SKIPPED, "BATCH.DELETE.OBJECT": SKIPPED},
    "caddy-json": {
        "using config from file": SKIPPED,
        '"status":0}': request("-", 499, 57, "/v1/x"),
        "9.5e-05": request("-", 200, 95, "/v1/x"),
    },
    "envoy-istio-json": {
        "codec_error": request("-", 400, 46_000),
        "downstream_remote_disconnect": request("acme", 499, 10_000_000, SLOW),
    },
    "haproxy": {
        "Proxy http-in started.": SKIPPED,
        "<BADREQ>": request("-", 400, 0),
        " -1 0 - - CH-- ": request("acme", 499, 10_003_000, SLOW),
    },
    "iis-w3c": {
        "#Software": SKIPPED,
        "#Version": SKIPPED,
        "#Date": SKIPPED,
        "#Fields": SKIPPED,
        " 400 0 64 60001": request("-", 400, 60_001_000, "/"),
        "&CorrelationID=<empty>; 444 Anonymous": request("Anonymous", 200, 4_000, "/x"),
    },
    "kong-json": {'"proxy":-1': request("-", 401, 3_000, "/v1/orders")},
    "nginx-timed": {
        " 499 0 ": request("acme", 499, 10_001_000, SLOW),
        "\\x16\\x03": request("-", 400, 41_000),
        '"" 408': request("-", 408, 60_004_000),
        'x \\"quoted\\" agent': request("acme", 404, 2_000, "/v1/a b"),
    },
}  # fmt: skip


def comes_to(verdict: Verdict) -> object:
    if isinstance(verdict, Request):
        return request(verdict.customer_id, verdict.status_code, verdict.duration_us, verdict.path)
    return verdict


@pytest.mark.parametrize("sample", PRESETS)
def test_each_quirk_comes_to_what_it_is(sample: str) -> None:
    read = verdicts(sample)
    first = [line for line, verdict in read if isinstance(verdict, Request)][:12]
    odd = [(line.decode(), verdict) for line, verdict in read if line not in first]
    for text, expected in QUIRKS[sample].items():
        assert {comes_to(verdict) for line, verdict in odd if text in line} == {expected}, text
    assert all(any(text in line for text in QUIRKS[sample]) for line, _ in odd)


# ---- Formats without a sample: a line as the service's documentation has it ----------------------------

COMBINED = (
    '192.0.2.10 - acme [03/Sep/2024:02:00:00 +0200] "GET /a?b HTTP/1.1" 200 1830 "-" "Agent/1 [en] 1.0"'
)
TRAEFIK = {
    "ClientUsername": "acme", "DownstreamStatus": 200, "Duration": 48_250_000, "RequestMethod": "GET", "RequestPath": "/a?b",
    "StartUTC": "2024-09-03T00:00:00.123456789Z", "level": "info", "msg": "", "time": "2024-09-03T00:00:00Z",
}  # fmt: skip
CLOUDFLARE = {
    "ClientRequestHost": "acme.example.com", "ClientRequestMethod": "GET", "ClientRequestURI": "/a?b", "EdgeResponseStatus": 200,
    "EdgeStartTimestamp": 1_725_321_600_000_000_000, "EdgeEndTimestamp": 1_725_321_600_048_250_000, "OriginResponseStatus": 0,
}  # fmt: skip
RFC3339 = {"EdgeStartTimestamp": "2024-09-03T00:00:00Z", "EdgeEndTimestamp": "2024-09-03T00:00:00.04825Z"}
GCP = {
    "httpRequest": {
        "latency": "0.048250s", "requestMethod": "GET", "requestUrl": "https://acme.example.com/a?b", "status": 200,
    },
    "timestamp": "2024-09-03T00:00:00.123456789Z",
}  # fmt: skip
HEROKU = (
    '2024-09-03T00:00:00.123456+00:00 heroku[router]: at=info method=GET path="/a?b" host=acme.example.com'
    ' request_id=1 fwd="192.0.2.10" dyno=web.1 connect=1ms service=18ms status=200 bytes=153 protocol=https'
)
HAPROXY = '192.0.2.10:1 [03/Sep/2024:00:00:00.000] api~ be/n1 0/0/1/47/48 200 1830 - - ---- 6/6/0/0/0 0/0 "GET /a HTTP/1.1"'
INGRESS = " 512 0.048 [ns-svc-80] [] 10.0.0.1:80, 10.0.0.2:80 0, 0 1.001, 1.003 502, 200 0123"
TRAEFIK_CLF = ' 7 "api@docker" "http://10.0.3.17:8080" 48ms'
ALB_OF_2016 = (
    "https 2016-08-10T00:10:22.890208Z app/a/0 192.0.2.10:1 10.0.0.1:80 0.001 0.046 0.001 200 200 0 57"
    ' "GET https://acme.example.com:443/a HTTP/1.1" "Agent/1" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2'
)
APIGATEWAY = '192.0.2.10 - acme [03/Sep/2024:00:00:00 +0000] "GET /a HTTP/1.1" 200 1830 01='
A = ("acme", 200)


def changed(document: dict[str, Any], **values: object) -> str:
    return json.dumps(document | values)


@pytest.mark.parametrize(
    ("preset", "line", "expected"),
    [
        ("traefik", json.dumps(TRAEFIK), request(*A, 48_250, "/a")),
        ("traefik", '{"level":"info","time":"2024-09-03T00:00:00Z","message":"Starting provider"}', SKIPPED),
        ("traefik", changed(TRAEFIK, ClientUsername="-", DownstreamStatus=0), request("-", 499, 48_250, "/a")),
        ("cloudflare", json.dumps(CLOUDFLARE), request(*A, 48_250, "/a")),
        ("cloudflare", changed(CLOUDFLARE, EdgeResponseStatus=0), request("acme", 499, 48_250, "/a")),
        ("cloudflare-rfc3339", changed(CLOUDFLARE, **RFC3339), request(*A, 48_250, "/a")),
        ("gcp-lb", json.dumps(GCP), request(*A, 48_250, "/a")),
        ("gcp-lb", changed(GCP, httpRequest={"requestUrl": "https://acme.example.com/"}), request("acme", 499, None, "/")),
        ("gcp-lb", '{"timestamp": "2024-09-03T00:00:00Z", "textPayload": "x"}', SKIPPED),
        ("heroku", HEROKU, request(*A, 19_000, "/a")),
        ("heroku", HEROKU.replace("1ms service=18ms status=200", " service= status=503"), request("acme", 503, None, "/a")),
        ("heroku", HEROKU.replace("service=18ms status=200", "service=30000ms status=503"), request("acme", 503, 30_001_000, "/a")),
        ("heroku", "2024-09-03T00:00:00.123456+00:00 app[web.1]: Listening on 3000", SKIPPED),
        ("heroku", "2024-09-03T00:00:00.123456+00:00 heroku[router]: restarting", RejectReason.LAYOUT),
        ("ingress-nginx", COMBINED + INGRESS, request(*A, 48_000, "/a")),
        ("nginx", COMBINED, request(*A, None, "/a")),
        ("nginx", COMBINED + " 0.048", request(*A, 48_000, "/a")),
        ("nginx", COMBINED + ' "-"', request(*A, None, "/a")),
        ("nginx", COMBINED + ' "192.0.2.1, 192.0.2.2" 0.048 -', request(*A, 48_000, "/a")),
        ("combined", COMBINED, request(*A, None, "/a")),
        ("combined", COMBINED + " 131", request(*A, 131, "/a")),
        ("combined", COMBINED + " 0.048", request(*A, None, "/a")),
        ("combined", "www.example.com:80 " + COMBINED, request(*A, None, "/a")),
        ("combined", "www.example.com:80 " + COMBINED + " 131", request(*A, 131, "/a")),
        ("combined", COMBINED.partition(' "-"')[0], request(*A, None, "/a")),
        ("combined", "2001:db8::7 " + COMBINED.partition(" ")[2], request(*A, None, "/a")),
        ("traefik-clf", COMBINED + TRAEFIK_CLF, request(*A, 48_000, "/a")),
        ("traefik-clf", COMBINED.replace("200 1830", "- -") + TRAEFIK_CLF, request("acme", 499, 48_000, "/a")),
        ("aws-apigateway-clf", APIGATEWAY + " 02=", request(*A, None, "/a")),
        ("aws-apigateway-clf", APIGATEWAY.replace("GET", "GET GET"), request(*A, None, "/a")),
        ("aws-apigateway-clf", APIGATEWAY.replace("GET", "GET ANY") + " -", request(*A, None, "/a")),
        ("aws-apigateway-clf", APIGATEWAY.replace("/a", "$default"), request(*A, None)),
        ("aws-alb", ALB_OF_2016.replace(" 200 200 ", " 000 - "), request("acme", 499, 48_000, "/a")),
        ("aws-alb", ALB_OF_2016.replace("GET https://acme.example.com:443/a HTTP/1.1", "- - - "), request("-", 200, 48_000)),
        ("aws-alb", ALB_OF_2016, request("acme", 200, 48_000, "/a")),
        ("haproxy", HAPROXY, request("-", 200, 48_000, "/a")),
        ("haproxy", HAPROXY.replace('"GET', '{acme|x} {y} "GET'), request(*A, 48_000, "/a")),
        ("haproxy", HAPROXY.replace("GET /a", "GET /{b} {c"), request("-", 200, 48_000, "/{b} {c")),
        ("haproxy", HAPROXY + " 0/0000000000000000/0/0/0 acme.example.com/TLSv1.3/TLS_AES_256_GCM_SHA384", request("-", 200, 48_000, "/a")),
        ("haproxy", HAPROXY.removesuffix('"'), RejectReason.LAYOUT),
        ("haproxy", "192.0.2.10:1 [03/Sep/2024:00:00:00.000] api/1: SSL handshake failure", SKIPPED),
        ("haproxy", "192.0.2.10:1 [03/Sep/2024:00:00:00.000] api/1: SSL client certificate not trusted", SKIPPED),
        ("haproxy", "192.0.2.10:1 [03/Sep/2024:00:00:00.000] api/1: Timeout during SSL handshake", SKIPPED),
        ("haproxy", "192.0.2.10:1 [03/Sep/2024:00:00:00.000] api/1: Received an invalid PROXY protocol header", SKIPPED),
        ("haproxy", "Sep  3 00:00:00 lb1 haproxy[1]: Stopping frontend api in 0 ms.", SKIPPED),
        ("haproxy", "Sep  3 00:00:00 lb1 haproxy[1]: Backup Server be_api/n2 is UP. 2 active and 1 backup servers online.", SKIPPED),
        ("haproxy", "Sep  3 00:00:00 lb1 haproxy[1]: backend be_api has no server available!", SKIPPED),
        ("haproxy", "Sep  3 00:00:00 lb1 haproxy[1]: Server be_api/n1 is DOWN, reason: Layer4 timeout", SKIPPED),
        ("haproxy", "Sep  3 00:00:00 lb1 haproxy[1]: nonsense", RejectReason.LAYOUT),
        ("haproxy", HAPROXY.replace("[03/Sep", "[03/Foo"), RejectReason.TIMESTAMP),
    ],
)  # fmt: skip
def test_a_line_of_a_service(preset: str, line: str, expected: object) -> None:
    assert comes_to(Reader(presets()[preset]).read(line.encode())) == expected


def test_presets_have_a_summary_and_a_source() -> None:
    assert next(iter(presets())) == NATIVE
    assert set(PRESETS.values()) < set(presets())
    for name, declared in presets().items():
        assert declared.summary
        assert declared.source.startswith("https://") or name == NATIVE
        assert load(name) == (name, declared)
        assert f'source = "{declared.source}"' in source_of(name)


# ---- docs/formats.md -----------------------------------------------------------------------------------

PAGE = (Path(__file__).parents[4] / "docs/formats.md").read_text()
SECTIONS = {
    name: text
    for heading, text in re.findall(r"^### (.*?)\n(.*?)(?=^### |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    for name in heading.split(" and ")
}


def test_the_page_has_a_section_for_each_preset() -> None:
    assert list(SECTIONS) == list(presets())


@pytest.mark.parametrize("name", [name for name in SECTIONS if name != "cloudflare-rfc3339"])
def test_the_line_that_is_shown_is_read_and_another_customer_can_be_named(name: str) -> None:
    shown = re.findall(r"^```\w+\n(.*?)^```$", SECTIONS[name], re.MULTILINE | re.DOTALL)
    lines = [line.encode() for line in "".join(shown).splitlines()]
    reader = Reader(presets()[name])
    *headers, read = [reader.read(line) for line in lines]
    assert isinstance(read, Request)
    assert read.customer_id in ("acme", "cust_1")
    assert read.status_code == 200
    assert set(headers) <= {SKIPPED}
    assert detect(b"\n".join(lines), complete=True) == name
    named = re.search(r"Another: (.*?)\.(?:\s|$)", SECTIONS[name], re.DOTALL)
    assert named
    for customer in re.findall(r"`'?([^`']+)'?`", named[1]):
        assert customised(presets()[name], customer).customer != presets()[name].customer


def test_the_declaration_that_is_shown_reads_its_lines() -> None:
    declaration = re.search(r"^```toml\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    lines = re.search(r"^```text\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    assert declaration
    assert lines
    reader = Reader(parse_format(declaration[1]))
    first, second, comment = [reader.read(line.encode()) for line in lines[1].splitlines()]
    assert comes_to(first) == request("acme", 200, 47_500, "/v1/orders")
    assert comes_to(second) == request("globex", 502, None, "/v1/orders")
    assert comment is SKIPPED


# ---- Whatever a line holds -----------------------------------------------------------------------------

LINES = [line for sample in PRESETS for line in (SAMPLES / f"{sample}.log").read_bytes().splitlines()]
LINES += [
    HEROKU.encode(),
    json.dumps(GCP).encode(),
    json.dumps(TRAEFIK).encode(),
    json.dumps(CLOUDFLARE).encode(),
]
JUNK = st.sampled_from(
    [b'"', b"\\", b" ", b"-", b"{", b"]", b"\t", b"\0", b"\xff", b"\\ud800", b"9" * 30, b"e9", b"#", b""]
)


@given(st.sampled_from(LINES), st.lists(st.tuples(st.floats(0, 1), st.floats(0, 0.2), JUNK), max_size=4))
def test_every_line_comes_to_something(line: bytes, changes: list[tuple[float, float, bytes]]) -> None:
    for at, length, junk in changes:
        start = int(at * len(line))
        line = line[:start] + junk + line[start + int(length * len(line)) :]
    for declared in presets().values():
        verdict = Reader(declared).read(line)
        assert verdict is None or isinstance(verdict, Request | RejectReason | Skipped)
        if isinstance(verdict, Request):
            assert 100 <= verdict.status_code <= 599
            assert 0 <= verdict.timestamp_ns < 84_006 * DAY_NS
            assert verdict.duration_us is None or 0 <= verdict.duration_us <= 86_400_000_000
            assert 1 <= len(verdict.customer_id) <= 255
            verdict.customer_id.encode()
