"""Programs of declared formats decide and count exactly as the scalar reader does: differential properties."""

import json
import random
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstats.domain.format import Format, parse_format
from logstats.domain.notation import FormatError
from logstats.domain.reader import Reader
from logstats.formats import presets
from logstats.native import REASONS, Aggregator, compile_format
from logstats.native.program import native_program
from tests.declarations import block_of, declaration
from tests.reference import Aggregate, aggregate, by_kernel

LINES = 40
"""Lines of a random block; the nightly profile tries 2 500 blocks a preset, more than two million lines."""
DOCUMENTS = 200
"""Of a block of JSON documents; nightly more than a million are compared with what Python's `json` makes of them."""
seeds = st.integers(0, 2**64 - 1)
LATEST = 1_725_500_000
_RUN_ALWAYS = native_program()[:1] + b"\0" + native_program()[2:]
"""The native program without its fast path."""


def check(declared: Format, data: bytes, latest: int | None = None) -> Aggregate:
    expected = aggregate(data, declared=declared, latest=latest)
    told = by_kernel([data], declared=declared, latest=latest)
    assert told == expected, differing_line(declared, data, latest)
    return expected


def differing_line(declared: Format, data: bytes, latest: int | None) -> object:
    """The first line on which kernel and reader disagree, with both verdicts."""
    lines = data.split(b"\n")
    reader = Reader(declared)
    for number, line in enumerate(lines, 1):
        header = reader.header
        told, read = (
            Aggregator(1, 1 << 20, compile_format(declared), latest, header),
            reader.read(line, latest),
        )
        told.feed(line)
        seen = [(name, day, numbers) for name, day, numbers, *_ in told.drain()]
        alone = aggregate(header + b"\n" + line, declared=declared, latest=latest)
        if (told.counts.accepted, told.counts.rejected_by_reason) != (
            alone.accepted,
            alone.rejected_by_reason,
        ) or [(*each[:2], each[2]) for each in seen] != [
            (*key, numbers) for key, (numbers, *_) in alone.summaries.items()
        ]:
            return number, line, read, told.counts, seen
    return None


@pytest.mark.parametrize("name", presets())
@given(seeds)
def test_agrees_on_presets(name: str, seed: int) -> None:
    check(presets()[name], block_of(presets()[name], seed, LINES), LATEST if seed % 4 == 0 else None)


@given(seeds, seeds)
def test_agrees_on_random_declarations(seed: int, lines_seed: int) -> None:
    declared = declaration(seed)
    check(declared, block_of(declared, lines_seed, LINES))


def test_random_blocks_reach_every_verdict() -> None:
    """The differential test is only worth its food: of each preset enough is accepted, and all reasons occur."""
    found: set[str] = set()
    for name, declared in presets().items():
        seen = [aggregate(block_of(declared, seed, LINES), declared=declared) for seed in range(20)]
        reasons = {reason for result in seen for reason in result.rejected_by_reason}
        assert reasons >= {"encoding", "layout", "timestamp", "status_code"}, name
        assert sum(result.accepted for result in seen) > sum(result.lines for result in seen) / 20, name
        found |= reasons
    assert found == set(REASONS) - {"too_long"}


@pytest.mark.parametrize("name", presets())
@given(st.binary(max_size=200), seeds)
def test_agrees_on_arbitrary_bytes(name: str, data: bytes, seed: int) -> None:
    declared = presets()[name]
    check(declared, block_of(declared, seed, 1) + b"\n" + data)


@given(seeds)
def test_the_native_program_agrees_with_its_fast_path(seed: int) -> None:
    data = block_of(presets()["logstats"], seed, LINES)
    fast, slow = Aggregator(1000, 1000), Aggregator(1000, 1000, _RUN_ALWAYS)
    for aggregator in (fast, slow):
        aggregator.feed(data)
    assert fast.counts == slow.counts
    assert list(fast.rejects()) == list(slow.rejects())
    assert list(fast.drain()) == list(slow.drain())


@pytest.mark.parametrize("length", [*range(65_530, 65_540)])
@pytest.mark.parametrize("name", ["aws-alb", "caddy", "heroku", "iis"])
def test_agrees_around_64_kib(name: str, length: int) -> None:
    declared = presets()[name]
    for seed in range(20):
        line = block_of(declared, seed, 1).rstrip()
        for filler in (b"x", b'"', b" ", b"\\n", "é".encode()):
            at = len(line) * seed // 20
            padded = line[:at] + filler * ((length - len(line)) // len(filler)) + line[at:]
            check(declared, padded + b"\n" + line)


def test_a_target_without_a_method_is_no_method_and_route() -> None:
    """Behind a space at the start of a request, a method is the target."""
    lines = (
        b'x - - [30/Jan/2024:18:58:21Z] "GET https://acme.example.com HTTP/2.0" 200 1 "-" "-" 1 0.048 [-] [-]',
        b'x - acme [11/Sep/2024:06:42:31] " GET / HTTP/1.1" 503 1 "-" "-" 1 231 [-] [-] x',
    )
    check(presets()["ingress-nginx"], b"\n".join(lines))


@pytest.mark.parametrize("byte", [b"\0", b"\x1f", b"\x7f", b"\x80", b"\r", b'"', b" ", "é".encode()])
@pytest.mark.parametrize("name", ["nginx", "combined", "iis", "caddy"])
def test_agrees_wherever_a_byte_is(name: str, byte: bytes) -> None:
    """Those that are seen at once are 16, 32, 64 or 128: a byte of interest is the first and the last of each."""
    declared = presets()[name]
    lines = [block_of(declared, seed, 1).rstrip() for seed in range(5)]
    longest = max(lines, key=len)
    check(declared, b"\n".join(longest[:at] + byte + longest[at:] for at in range(len(longest) + 1)))
    check(declared, b"\n".join(longest[:at] + byte * 2 + longest[at + 2 :] for at in range(len(longest))))


DURATIONS = (
    *(
        "0",
        "1",
        "-",
        "-1",
        "",
        ".",
        "..",
        "1.",
        ".5",
        "1.5",
        "01.50",
        "1..5",
        "1.5.",
        "1,5",
        "+1",
        "1e3",
        "1E-3",
        "x",
        "1x",
        "/",
        "0:",
    ),
    *(
        "1.234567",
        "1.2345675",
        "1.2345685",
        "12345678",
        "1234567.",
        "123456789",
        "0.123456",
        ".1234567",
        "12.34567",
        "0.0000005",
    ),
    *("86400", "86400.0", "86400.00", "86400.1", "86399.99", "86400.000001", "99999999", "٣"),
)


def timed(template: str, form: str, duration: str) -> Format:
    """Declare a text format by its template, the form of its times, and where the duration comes from."""
    return parse_format(f"""
    layout = "text"
    template = "{template}"
    timestamp = {{ value = "time", form = "{form}" }}
    customer = {{ value = "customer" }}
    status = {{ value = "status" }}
    duration = {{ {duration} }}
    """)


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns", "suffix"])
def test_agrees_on_durations(unit: str) -> None:
    template = "{time} {customer} {status} {first} {second}"
    declared = timed(template, "iso8601", f'value = ["first", "second"], unit = "{unit}"')
    texts = [
        f"{text}{suffix}"
        for text in DURATIONS
        for suffix in (("", "s", "ms", "us") if unit == "suffix" else ("",))
    ]
    check(
        declared,
        "\n".join(
            f"2024-09-03T12:00:00Z acme 200 {first} {second}" for first in texts for second in texts
        ).encode(),
    )


@pytest.mark.parametrize("form", ["iso8601", "clf"])
def test_agrees_on_dates_that_were_seen_in_another_form(form: str) -> None:
    other = "clf" if form == "iso8601" else "iso8601"
    declared = timed(
        "[{time}] {customer} {status} [{end}]", form, f'from = "time", to = "end", form = "{other}"'
    )
    dates = (
        "2024-09-03",
        "03/Sep/2024",
        "2024-09-31",
        "31/Sep/2024",
        "2024/09/03",
        "03/Sep-2024",
        "0" * 10,
        "\0" * 10,
        "\0" * 11,
    )
    times = [
        f"{date}{sign}12:34:56{zone}"
        for date in dates
        for sign in "T :x"
        for zone in ("", "Z", "+0000", " +0000", "+000", "+0001")
    ]
    check(
        declared,
        "\n".join(
            f"[{time}] acme 200 [{end}]" for time in times for end in (*times[::7], "-", time)
        ).encode(),
    )


# ---- JSON -------------------------------------------------------------------------------------------

DOCUMENT = parse_format("""
layout = "json"
timestamp = { value = "t", form = "iso8601" }
customer = { value = ["a", "b.c", "d[1].e[0]", "ü", '"a.b"', "key_of_8", "longer_than_8", "longer_than_9"] }
status = { value = "s", closed = [""] }
duration = { value = "u", unit = "ms" }
only = { t = ["*"] }
""")
STRINGS = (
    "", "acme", "-", "\\u0061", "\\ud83d\\ude00", "\\ud83d", "\\ude00", "\\ud83dx", "\\ud83d\\u0041", "\\ud83d\\ud83d\\ude00", "\\/", "\\n",
    "\\x", "\\u12", "\\u00E9\\u00e9", "é", "😀", "\t", "\x7f", "\\\\", '\\"', "x" * 15, "x" * 16, "x" * 62 + "\\\\", "\\u0000", "\\", "\\uD83D\\uDE0", "a\\u2028",
)  # fmt: skip
SCALARS = (
    "0", "-0", "1", "12.5", "1e5", "1E-5", "1.0e+10", "01", "1.", ".5", "-", "+1", "1e", "0x1", "NaN", "Infinity", "-Infinity", "9" * 5_000,
    "0." + "3" * 400, "1e999999", "true", "false", "null", "True", "nul", "nulll", "{}", "[]", "[ ]", "{ }", "[1,]", "{,}", "[[[]]]", "'a'", "1 2", "",
)  # fmt: skip
MEMBERS = (
    "a",
    "b",
    "d",
    "s",
    "u",
    "t",
    "x",
    "ü",
    "\\u00fc",
    "\\u0061",
    "a.b",
    "key_of_8",
    "longer_than_8",
    "longer_than_9",
    "",
    "c",
    "e",
)
_VALUE = re.compile(rb'(?<=:)"(?:[^"\\\\]|\\\\.)*"|(?<=[:,\[])-?[0-9][^],}]*')
_TIME = b'"2024-09-03T12:00:00Z"'
BLANKS = ("", "", "", " ", "  ", "\t", "\r", " \t ", "\v", "\u00a0")


def document(rng: random.Random, depth: int) -> str:
    """Text that is nearly always JSON, in all the ways that it can be written."""
    blank = rng.choice(BLANKS) if rng.random() < 0.2 else ""
    kind = rng.random()
    if depth <= 0 or kind < 0.3:
        strings, scalars = (STRINGS, SCALARS) if rng.random() < 0.1 else (STRINGS[:10], SCALARS[:7])
        return blank + (f'"{rng.choice(strings)}"' if kind < 0.2 else rng.choice(scalars)) + blank
    inner = [document(rng, depth - 1 - rng.randrange(2)) for _ in range(rng.randrange(5))]
    if kind < 0.5:
        return f"{blank}[{','.join(inner)}]"
    return blank + "{" + f",{blank}".join(f'"{rng.choice(MEMBERS)}"{blank}:{each}' for each in inner) + "}"


def documents(seed: int) -> bytes:
    rng = random.Random(seed)
    lines = []
    for _ in range(DOCUMENTS):
        members = [f'"{rng.choice(MEMBERS)}":{document(rng, 4)}' for _ in range(rng.randrange(6))]
        members[rng.randrange(len(members) + 1) :] = ['"t":"2024-09-03T12:00:00Z"', '"s":200', '"u":"12"']
        rng.shuffle(members)
        text = "{" + ",".join(members) + "}"
        if rng.random() < 0.1:
            at = rng.randrange(len(text))
            text = (
                text[:at]
                + rng.choice(("", '"', "}", "]", "{", "[", ",", ":", "\\", "\ufeff", "\0"))
                + text[at + rng.randrange(2) :]
            )
        if rng.random() < 0.05:
            text = document(rng, 3)
        lines.append(text.encode())
    return b"\n".join(lines)


@given(seeds)
def test_agrees_on_json(seed: int) -> None:
    check(DOCUMENT, documents(seed))


def alike(seed: int) -> bytes:
    """Documents of two shapes, one after the other, with other values; in some a byte is wrong."""
    rng = random.Random(seed)
    shapes = documents(seed).split(b"\n")[:2]

    def value(found: re.Match[bytes]) -> bytes:
        odd = rng.random() < 0.02
        if not odd and found[0] in (_TIME, b"200"):
            return found[0]
        if found[0].startswith(b'"'):
            return b'"%b"' % rng.choice(STRINGS if odd else STRINGS[:6]).encode()
        return rng.choice(SCALARS if odd else SCALARS[:6]).encode()

    lines = []
    for _ in range(DOCUMENTS):
        text = _VALUE.sub(value, rng.choices(shapes, (5, 1))[0])
        if rng.random() < 0.1:
            at = rng.randrange(len(text) + 1)
            text = (
                text[:at]
                + rng.choice((b'"', b"}", b",", b" ", b"\\", b"\r", b"1", b"\x7f"))
                + text[at + rng.randrange(2) :]
            )
        lines.append(text)
    return rng.choice((b"\n", b"\r\n")).join(lines)


@given(seeds)
def test_agrees_on_documents_that_are_alike(seed: int) -> None:
    """Forget what is known of one document before the next."""
    check(DOCUMENT, alike(seed))


def test_agrees_on_documents_that_are_cut() -> None:
    """Leave less of the block than the text that comes next in the document before."""
    document = b'{"a":"acme",%s"s":200,"t":"2024-09-03T12:00:00Z"}' % (b" " * 300)
    for length in range(len(document)):
        check(DOCUMENT, b"\n".join((document, document[:length], b"x" * 70)))


@pytest.mark.parametrize("customer", ["true", "17", '"acme"', '"\\u0061"'])
def test_a_document_that_is_alike_has_values_of_its_own(customer: str) -> None:
    """Not those at the places of the last one, whose memory has other bytes now."""
    buffer, aggregator = bytearray(200), Aggregator(program=compile_format(DOCUMENT))
    for before in ("a longer one", "short", "-"):
        line = f'{{"x":"{before}","a":{customer},"s":200,"t":"2024-09-03T12:00:00Z"}}'.encode()
        buffer[: len(line)] = line
        aggregator.feed(buffer, len(line))
    [(name, _, numbers, *_)] = aggregator.drain()
    assert (name.decode(), numbers[0]) == (str(json.loads(customer)).lower(), 3)


def test_random_documents_are_json_or_not() -> None:
    def is_json(line: bytes) -> bool:
        try:
            json.loads(line)
        except ValueError:
            return False
        return True

    lines = [line for seed in range(20) for line in documents(seed).split(b"\n")]
    assert 0.3 < sum(map(is_json, lines)) / len(lines) < 0.95


@pytest.mark.parametrize("depth", [1, 62, 63, 64, 65, 500, 20_000])
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"x":', "}"), ('[{"x":', "}]")])
def test_agrees_on_deep_documents(depth: int, opening: str, closing: str) -> None:
    start = '{"t":"2024-09-03T12:00:00Z","s":200,"x":'
    for inner in (
        opening * depth + "1" + closing * depth,
        opening * depth,
        opening * depth + "1" + closing * (depth - 1),
    ):
        check(DOCUMENT, (start + inner + "}").encode())


# ---- Programs ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", presets())
def test_a_malformed_program_is_refused(name: str) -> None:
    program = compile_format(presets()[name])
    for wrong in (b"", b"\0", program[:1], program[: len(program) // 2], program[:-1], program + b"\0"):
        with pytest.raises(ValueError, match="malformed program"):
            Aggregator(program=wrong)


@given(seeds)
def test_a_program_with_changed_bytes_is_refused_or_harmless(seed: int) -> None:
    rng = random.Random(seed)
    declared = rng.choice((declaration(seed), rng.choice(list(presets().values()))))
    program = bytearray(compile_format(declared))
    for _ in range(rng.choice((1, 1, 2))):
        at = rng.randrange(len(program))
        program[at] = rng.choice(
            (0, 1, 3, 63, 64, 127, 128, 253, 254, 255, program[at] ^ 1, (program[at] + 1) & 255)
        )
    try:
        aggregator = Aggregator(program=bytes(program))
    except ValueError:
        return
    aggregator.feed(block_of(declared, seed, 20))


def test_too_many_values_are_refused() -> None:
    names = [f"n{i}" for i in range(65)]
    only = dict.fromkeys(names, ("*",))
    declared = presets()["caddy"].model_copy(update={"only": only})
    with pytest.raises(FormatError, match="at most 64 values"):
        compile_format(declared)


def test_a_text_that_is_too_long_is_refused() -> None:
    declared = presets()["caddy"].model_copy(update={"skip": ("x" * 65_536,)})
    with pytest.raises(FormatError, match="too long"):
        compile_format(declared)


# ---- Columns ----------------------------------------------------------------------------------------

FIELDS = b"#Fields: date time sc-status cs-method cs-uri-stem time-taken cs-username"
ROW = b"2024-09-03 12:00:00 200 GET / 12 EXAMPLE\\acme\n"


def test_columns_are_those_of_the_latest_fields_line() -> None:
    aggregator = Aggregator(program=compile_format(presets()["iis"]))
    assert aggregator.columns == b""
    aggregator.feed(ROW)
    assert aggregator.counts.rejected_by_reason == {"layout": 1}
    aggregator.feed(FIELDS + b"\r\n" + ROW)
    assert (aggregator.columns, aggregator.counts.accepted, aggregator.counts.skipped) == (FIELDS, 1, 1)


def test_columns_can_be_given_for_a_range_that_begins_in_the_middle() -> None:
    aggregator = Aggregator(program=compile_format(presets()["iis"]), columns=FIELDS)
    aggregator.feed(ROW)
    assert (aggregator.columns, aggregator.counts.accepted) == (FIELDS, 1)


def test_requests_are_not_from_after_the_latest() -> None:
    line = b"2024-09-03 12:00:00 c /a 200 1\n"
    at = 1_725_364_800
    for latest, accepted in (
        (at - 1, 0),
        (at, 1),
        (at + 86_400, 1),
        (at - 86_400, 0),
        (-(10**30), 0),
        (10**30, 1),
    ):
        for program in (None, _RUN_ALWAYS):
            aggregator = Aggregator(program=program, latest=latest)
            aggregator.feed(line)
            assert aggregator.counts.accepted == accepted
