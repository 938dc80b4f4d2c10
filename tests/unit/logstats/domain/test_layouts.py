"""How a line is divided: text, JSON, logfmt, columns."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from logstats.domain.format import Format, parse_format
from logstats.domain.layouts import MAX_DEPTH, Columns, Json, LayoutError, Logfmt, Text, fit, reach
from logstats.domain.notation import parse_template

REST = """
timestamp = { value = "t", form = "epoch_s" }
customer = { value = "c" }
status = { value = "s" }
"""


def declared(layout: str, *, customer: str = "c") -> Format:
    return parse_format(layout + REST.replace('"c"', json.dumps(customer)))


@pytest.mark.parametrize(
    ("template", "line", "values"),
    [
        ("{a} {b}", "1 2", {"a": "1", "b": "2"}),
        ("{a} {b}", "1 ", {"a": "1", "b": ""}),
        ("{a} {b}", "1 2 3", None),
        ("{a} {b}", "1", None),
        ("{a} {_}", "1 2", {"a": "1"}),
        ("{_} {b}", "1 2", {"b": "2"}),
        ("{a} {b}]", "1 2 3]]", {"a": "1", "b": "2 3]"}),
        ("{a} {b}]", "1 2", None),
        ("{a}, {b}, x", "1, x", None),
        ("[{a}] {b}", "[1 2] 3", {"a": "1 2", "b": "3"}),
        ("[{a}] {b}", "(1 2] 3", None),
        ("{a} {b}", '"1" "2"', {"a": "1", "b": "2"}),
        ("{a} {b}", '" "', {"a": '"', "b": '"'}),
        ("{a}|{b}", '"|""', {"a": '"', "b": ""}),
        ("{a} {b} {…}", "1 2", {"a": "1", "b": "2"}),
        ("{a} {b} {…}", "1 2 3 4", {"a": "1", "b": "2"}),
        ("{a} {b} {…}", '1 "2 3" 4', {"a": "1", "b": '"2'}),
        ('{a} "{b}"', '1 "2 3"', {"a": "1", "b": "2 3"}),
        ('{a} "{b}"', r'1 "2\" \\"', {"a": "1", "b": r"2\" \\"}),
        ('{a} "{b}"', r'1 "2\"', None),
        ('{a} "{b}"', '1 "2" ', None),
        ('{a} "{b}"', "1 -", {"a": "1", "b": "-"}),
        ('{a} "{b}"', "1 --", None),
        ('{a} "{b}"', "1 2", None),
        ('{a} "{b}" {…}', '1 "2"', {"a": "1", "b": "2"}),
        ('{a} "{b}" {…}', '1 "2" 3', {"a": "1", "b": "2"}),
        ('{a} "{b}" {…}', '1 "2"3', None),
        ('"{a}" {b}', '"1" 2', {"a": "1", "b": "2"}),
        ('"{a}" {b}', '"1"x 2', None),
        ('"{a}" {b}', "1 2", None),
        ("{a} é {b}", "ü é ö", {"a": "ü", "b": "ö"}),
    ],
)  # fmt: skip
def test_a_template(template: str, line: str, values: dict[str, str] | None) -> None:
    assert fit(parse_template(template), line.encode()) == values


def test_how_far_a_template_fits() -> None:
    template = parse_template('{a} [{b}] "{c}" {d}')
    reached = [reach(template, line) for line in (b"", b"x", b"x [y", b"x [y] z", b'x [y] "z" ')]
    assert reached == [0, 0, 1, 2, 4]


def test_the_first_template_that_fits() -> None:
    text = Text(declared("layout = 'text'\ntemplate = ['{t} {c} {s} {d}', '{t} {c} {s}']"))
    assert text.read(b"1 2 3 4") == {"t": "1", "c": "2", "s": "3", "d": "4"}
    assert text.read(b"1 2 3") == {"t": "1", "c": "2", "s": "3"}
    with pytest.raises(LayoutError):
        text.read(b"1 2")


@pytest.mark.parametrize(
    ("line", "values"),
    [
        ("a=1 b=2", {"a": "1", "b": "2"}),
        ("\t a=1\t\tb=  c=x=y", {"a": "1", "b": "", "c": "x=y"}),
        (r'a="1 \" 2" b="\\"c=3', {"a": r"1 \" 2", "b": r"\\", "c": "3"}),
        ('a=1 word b=2 "c d"=3', {"a": "1", "b": "2", 'd"': "3"}),
        ('a="1 b=2', {"a": "1 b=2"}),
        ('a="1 \\', {"a": "1 \\"}),
        ('a=1"2 b=""', {"a": '1"2', "b": ""}),
        ("a=1 a=2 =3", {"a": "2", "": "3"}),
    ],
)
def test_pairs(line: str, values: dict[str, str]) -> None:
    assert Logfmt(declared("layout = 'logfmt'")).read(line.encode()) == values


def test_a_line_without_pairs_has_the_values_of_its_prefix() -> None:
    logfmt = Logfmt(declared("layout = 'logfmt'\nprefix = '{t} {c}: '"))
    assert logfmt.read(b"1 x: c=y s=200") == {"t": "1", "c": "y", "s": "200"}
    with pytest.raises(LayoutError) as raised:
        logfmt.read(b"1 x: some words")
    assert raised.value.values == {"t": "1", "c": "x"}
    with pytest.raises(LayoutError) as raised:
        logfmt.read(b"1 x s=200")
    assert raised.value.values is None


def test_columns_have_the_names_of_the_latest_header() -> None:
    columns = Columns(declared("layout = 'columns'\nseparator = 'space'"))
    with pytest.raises(LayoutError):
        columns.read(b"1 2")
    columns.header = b"#Fields: t\tc  s"
    assert columns.read(b'1 "2" 3') == {"t": "1", "c": "2", "s": "3"}
    assert columns.read(b"1 ") == {"t": "1", "c": ""}
    with pytest.raises(LayoutError):
        columns.read(b"1 2 3 ")
    columns.header = b"#Fields:s t s"
    assert columns.read(b"1 2 3") == {"s": "3", "t": "2"}
    assert columns.read(b"1 2") == {"t": "2"}
    assert columns.header == b"#Fields:s t s"


def test_tabs_separate_columns_that_have_spaces() -> None:
    columns = Columns(declared("layout = 'columns'\nseparator = 'tab'"))
    columns.header = b"#Fields: t c"
    assert columns.read(b"1\t2 3") == {"t": "1", "c": "2 3"}


def value_at(document: str, name: str) -> str | None:
    return Json(declared("layout = 'json'", customer=name)).read(document.encode())[name]


@pytest.mark.parametrize(
    ("document", "name", "value"),
    [
        ('{"a": "x"}', "a", "x"),
        ('{"a": "x"}', "b", None),
        ('{"a": {"b": ["x", {"c": 1}]}}', "a.b[1].c", "1"),
        ('{"a": {"b": ["x"]}}', "a.b[1]", None),
        ('{"a": {"b": ["x"]}}', "a.b", None),
        ('{"a": {"b": ["x"]}}', "a[0]", None),
        ('{"a": "x"}', "a.b", None),
        ('{"a": ["x"]}', "a.b", None),
        ('{"a.b": "x"}', '"a.b"', "x"),
        ('{"a": null}', "a", None),
        ('{"a": true, "b": false}', "a", "true"),
        ('{"a": true, "b": false}', "b", "false"),
        ('{"a": 1.50e+03}', "a", "1.50e+03"),
        ('{"a": -0}', "a", "-0"),
        ('{"a": ' + "9" * 6000 + "}", "a", "9" * 6000),
        (r'{"\u0061": "\u00e9\n\ud83d\ude00"}', "a", "é\n😀"),
        (r'{"a": "\ud83d"}', "a", "\ud83d"),
        ('{"a": 1, "a": 2}', "a", "2"),
        ('{"a": {"b": 1}, "a": 1}', "a.b", None),
        ('{"a": {"b": 1}, "a": {"c": 2}}', "a.b", None),
        (' {"a": 1}\t\r', "a", "1"),
    ],
)
def test_a_value_of_a_document(document: str, name: str, value: str | None) -> None:
    assert value_at(document, name) == value


@pytest.mark.parametrize(
    "document",
    [
        *("", "[]", "1", "null", '{"a": NaN}', '{"a": -Infinity}', '{"a": 01}', '{"a": 1.}', '{"a": -}', '{"a": 1,}'),
        *("{'a': 1}", '{"a": 1} x', '{"a": 1}{}', '{"a": "\t"}', r'{"a": "\x"}', '{"a"', '{"a": ' + "[" * 9_000),
        "\ufeff{}",
    ],
)  # fmt: skip
def test_documents_that_are_none(document: str) -> None:
    with pytest.raises(LayoutError):
        value_at(document, "a")


@pytest.mark.parametrize("replaced", [False, True])
def test_a_document_is_nested_no_deeper_than_64(*, replaced: bool) -> None:
    def nested(depth: int) -> str:
        end = ', "a": 1}' if replaced else "}"
        return '{"a": ' + "[" * (depth - 1) + '"]{[\\""' + "]" * (depth - 1) + end

    value_at(nested(MAX_DEPTH), "a")
    with pytest.raises(LayoutError):
        value_at(nested(MAX_DEPTH + 1), "a")
    value_at('{"a": [' + ",".join(["[]"] * 100) + "]}", "a")


# ---- Against Python's json, on generated documents ---------------------------------------------------


class Pairs(list[tuple[str, Any]]):
    """An object whose keys may be equal."""


KEYS = st.sampled_from(["a", "b", "é", "\ud800", "a.b"])
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(st.characters(), max_size=8),
    st.text(st.sampled_from(["\ud83d", "\ude00", "\\", '"', "\n", "\x00", "/", "\u2028", "x"]), max_size=6),
)
DOCUMENTS = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(KEYS, inner), max_size=4).map(Pairs), max_leaves=12
)  # fmt: skip
PATHS = ["a", "b", "a.b", "a.b.a", "a[0]", "a[1].b", "b.a[0][0]", "é", '"a.b"', '"a.b".a[2]']


def write(document: object, *, ascii_only: bool) -> str:
    if isinstance(document, Pairs):
        pairs = (f"{json.dumps(key)} : {write(value, ascii_only=ascii_only)}" for key, value in document)
        return "{" + ",\t".join(pairs) + "}"
    if isinstance(document, list):
        return "[" + " ,".join(write(each, ascii_only=ascii_only) for each in document) + "]"
    return json.dumps(document, ensure_ascii=ascii_only)


def expected(document: object, steps: list[str | int]) -> str | None:
    """Take what Python's own document has there."""
    for step in steps:
        if not isinstance(document, dict if isinstance(step, str) else list):
            return None
        try:
            document = document[step]  # type: ignore[index]  # the path leads through lists and objects only
        except LookupError:
            return None
    if isinstance(document, bool):
        return str(document).lower()
    if isinstance(document, int | float):
        return repr(document)
    return document if isinstance(document, str) else None


@given(st.lists(st.tuples(KEYS, DOCUMENTS), max_size=4).map(Pairs), st.booleans())
def test_a_document_is_what_python_reads(document: Pairs, ascii_only: bool) -> None:  # noqa: FBT001 - hypothesis gives it
    text = write(document, ascii_only=ascii_only)
    try:
        line = text.encode()
    except UnicodeEncodeError:
        line = write(document, ascii_only=True).encode()
    read = json.loads(line)
    steps: dict[str, list[str | int]] = {
        "a": ["a"], "b": ["b"], "a.b": ["a", "b"], "a.b.a": ["a", "b", "a"], "a[0]": ["a", 0], "a[1].b": ["a", 1, "b"],
        "b.a[0][0]": ["b", "a", 0, 0], "é": ["é"], '"a.b"': ["a.b"], '"a.b".a[2]': ["a.b", "a", 2],
    }  # fmt: skip
    for name in PATHS:
        assert value_at(line.decode(), name) == expected(read, steps[name])


@given(st.text(st.sampled_from('{}[],:"\\ue0-+.1ntfa \t'), max_size=30))
def test_a_document_is_refused_where_python_refuses_it(text: str) -> None:
    try:
        accepted = isinstance(json.loads(text, parse_constant=lambda _: 1 / 0), dict)
    except (ValueError, ZeroDivisionError):
        accepted = False
    try:
        value_at(text, "a")
        assert accepted
    except LayoutError:
        assert not accepted
