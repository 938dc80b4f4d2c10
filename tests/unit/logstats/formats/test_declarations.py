"""A format of the user's own is a file, and no line of code."""

from pathlib import Path

import pytest

from logstats.domain.reader import SKIPPED, Reader, RejectReason, Request
from logstats.formats import FormatError, customised, load, presets, source_of

MADE_UP = {
    "nested": (
        """
        layout = "json"
        only = { "event.kind" = ["access*"] }
        timestamp = { value = "at", form = "epoch_ns" }
        customer = { value = ["tenant.ids[0]", "tenant.name"] }
        status = { value = "res.code", closed = [""] }
        duration = { value = "res.took", unit = "ns" }
        request = { method = "req.verb", target = "req.url" }
        """,
        {
            '{"event":{"kind":"access_log"},"at":1725321600000000001,"tenant":{"ids":["acme"]},"res":{"code":200,"took":1500},"req":{"verb":"GET","url":"/a"}}':
                Request(1725321600000000001, "acme", "GET", "/a", 200, 2),
            '{"event":{"kind":"access"},"at":1.7253216e18,"tenant":{"ids":[],"name":"globex"},"res":{"took":null}}':
                Request(1725321600000000000, "globex", None, None, 499, None),
            '{"event":{"kind":"audit"},"at":1725321600000000001}': SKIPPED,
            '{"event":{"kind":"access"}}': RejectReason.TIMESTAMP,
        },
    ),
    "pipes": (
        """
        layout = "text"
        template = "{day}|{clock}|{who}|{what}|{code}|{took}|{…}"
        skip = ["--"]
        timestamp = { value = ["day", "clock"], form = "iso8601", zone = "-05:00" }
        customer = { value = "who", part = "split(:)[1]" }
        status = { value = "code" }
        duration = { value = "took", unit = "suffix" }
        request = { value = "what", required = true }
        """,
        {
            "2024-09-02|19:00:00|tenant:acme|GET /a?b HTTP/1.1|200|1.5ms|x|y": Request(1725321600000000000, "acme", "GET", "/a", 200, 1500),
            "2024-09-02|19:00:00|acme|GET /a HTTP/1.1|200|-": Request(1725321600000000000, "-", "GET", "/a", 200, None),
            "2024-09-02|19:00:00|tenant:acme|GET|200|1s": RejectReason.REQUEST_PATH,
            "-- rotated": SKIPPED,
            "2024-09-02|19:00:00": RejectReason.LAYOUT,
        },
    ),
    "pairs": (
        """
        layout = "logfmt"
        timestamp = { value = "ts", form = "epoch_ms" }
        customer = { value = "@target", part = "query.tenant" }
        status = { value = "status" }
        duration = { value = ["queue", "service"], unit = "us" }
        request = { method = "method", target = "path" }
        """,
        {
            'ts=1725321600000 level=info method=GET path="/a?tenant=acme" status=200 queue=1 service=2': Request(1725321600000000000, "acme", "GET", "/a", 200, 3),
            "ts=1725321600000 method=GET path=/a status=200 queue=1": Request(1725321600000000000, "-", "GET", "/a", 200, None),
            "ts=1725321600000 status=2xx": RejectReason.STATUS_CODE,
            "started": RejectReason.LAYOUT,
        },
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MADE_UP)
def test_a_format_of_ones_own(name: str, tmp_path: Path) -> None:
    declaration, lines = MADE_UP[name]
    path = tmp_path / f"{name}.toml"
    path.write_text(declaration)
    loaded, declared = load(str(path))
    assert loaded == name
    reader = Reader(declared)
    assert {line: reader.read(line.encode()) for line in lines} == lines


BROKEN = {
    "layout: ": "layout = 'xml'",
    "template: ": "layout = 'text'\ntemplate = '{time}{who} {status}'",
    "timestamp.form: ": "timestamp.form = 'unix'",
    "timestamp.zone: ": "timestamp.zone = '+2'",
    "customer.part: ": "customer.part = 'port'",
    "customer.value: ": "customer.value = '@target'",
    "status.value: ": "status.value = 'code'",
    "status.closed: ": "status.closed = [0]",
    "duration: ": "duration = { value = 'ms' }",
    "tiemstamp: ": "tiemstamp = {}",
}
SOUND = {
    "layout": "layout = 'text'\ntemplate = '{time} {who} {status} {ms}'",
    "timestamp.value": "timestamp.value = 'time'",
    "timestamp.form": "timestamp.form = 'iso8601'",
    "customer.value": "customer.value = 'who'",
    "status.value": "status.value = 'status'",
}


@pytest.mark.parametrize("key", BROKEN)
def test_an_error_is_one_line_that_names_the_file_and_the_key(key: str, tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    replaced = BROKEN[key].partition(" =")[0]
    path.write_text("\n".join((SOUND | {replaced: BROKEN[key]}).values()))
    with pytest.raises(FormatError) as raised:
        load(str(path))
    assert str(raised.value).startswith(f"{path}: {key}")
    assert "\n" not in str(raised.value)


def test_a_sound_declaration_is_none_of_those(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("\n".join(SOUND.values()))
    assert load(str(path))[0] == "own"
    path.write_text("\r\n".join(SOUND.values()), encoding="utf-8-sig")  # as editors on Windows write it
    assert load(str(path))[0] == "own"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.toml", None, "No such file or directory"),
        ("own.toml", b"\xff", "this is not UTF-8"),
        ("own.toml", b"layout", "this is not TOML: "),
        ("none", None, "is neither a file nor a preset: logstats, aws-alb, "),
    ],
)
def test_what_is_no_declaration(name: str, content: bytes | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(FormatError) as raised:
        load(str(path))
    assert str(path) in str(raised.value)
    assert message in str(raised.value)


def test_there_is_no_source_of_what_is_no_preset() -> None:
    with pytest.raises(FormatError, match="'apache' is no preset: logstats, aws-alb, "):
        source_of("apache")


ALB = (
    'https 2024-09-03T00:00:00Z app/a/0 192.0.2.10:1 - -1 -1 -1 200 - 1 2 "GET https://acme.example.com:443/t/x?key=k HTTP/2.0"'
    ' "Agent" c p - "Root=1" "sni.example.com" "-" 0'
)


@pytest.mark.parametrize(
    ("customer", "read"),
    [
        (None, "acme"),
        ("@target host", "acme.example.com"),
        ("@target query.key", "k"),
        ("@path path[0]", "t"),
        (" sni  host[-2] ", "example"),
        ("elb", "app/a/0"),
        ("elb split(/)[1]", "a"),
        ("elb split( )[0]", "app/a/0"),
    ],
)
def test_another_customer(customer: str | None, read: str) -> None:
    verdict = Reader(customised(presets()["aws-alb"], customer)).read(ALB.encode())
    assert isinstance(verdict, Request)
    assert verdict.customer_id == read


def test_another_zone() -> None:
    line = b"2024-09-03 02:00:00 acme / 200 1"
    verdict = Reader(customised(presets()["logstats"], zone="+02:00")).read(line)
    assert isinstance(verdict, Request)
    assert verdict.timestamp_ns == 1_725_321_600 * 10**9
    assert customised(presets()["logstats"]) is presets()["logstats"]


@pytest.mark.parametrize(
    ("customer", "zone", "message"),
    [
        ("who", None, "customer.value: no template has {who}"),
        ("", None, "customer.value: "),
        ("@target port", None, "customer.part: 'port' is none of host, "),
        (None, "CET", "timestamp.zone: 'CET' is no offset"),
    ],
)
def test_what_a_format_does_not_have(customer: str | None, zone: str | None, message: str) -> None:
    with pytest.raises(FormatError) as raised:
        customised(presets()["aws-alb"], customer, zone)
    assert str(raised.value).startswith(message)
