"""The notations of a declaration: templates, paths, parts, offsets."""

import pytest

from logstats.domain.notation import (
    FormatError,
    Hole,
    Part,
    Template,
    parse_part,
    parse_path,
    parse_template,
    parse_zone,
)


def plain(name: str | None, until: bytes) -> Hole:
    return Hole(name, quoted=False, until=until)


def quoted(name: str | None, until: bytes) -> Hole:
    return Hole(name, quoted=True, until=until)


@pytest.mark.parametrize(
    ("text", "template"),
    [
        ("{a}", Template(b"", (plain("a", b""),), rest=False, separator=b"")),
        ("{a} {b}", Template(b"", (plain("a", b" "), plain("b", b"")), rest=False, separator=b" ")),
        ("{a}|{_}", Template(b"", (plain("a", b"|"), plain(None, b"")), rest=False, separator=b"|")),
        ("[{a}]", Template(b"[", (plain("a", b"]"),), rest=False, separator=b"")),
        ('x"{a}" {b}', Template(b"x", (quoted("a", b" "), plain("b", b"")), rest=False, separator=b" ")),
        ('"{a}"{b}', Template(b"", (quoted("a", b""), plain("b", b"")), rest=False, separator=b"")),
        ('"{a}""{b}"', Template(b"", (quoted("a", b""), quoted("b", b"")), rest=False, separator=b"")),
        ('"{a}"{b}"', Template(b"", (quoted("a", b""), plain("b", b'"')), rest=False, separator=b"")),
        ("{a} {…}", Template(b"", (plain("a", b" "),), rest=True, separator=b"")),
        ('"{a}"{…}', Template(b"", (quoted("a", b""),), rest=True, separator=b"")),
        ("{{{a}}} {{", Template(b"{", (plain("a", b"} {"),), rest=False, separator=b"")),
        (
            "{_}é{_}é{_}",
            Template(
                b"",
                (plain(None, "é".encode()),) * 2 + (plain(None, b""),),
                rest=False,
                separator="é".encode(),
            ),
        ),
    ],
)
def test_templates(text: str, template: Template) -> None:
    assert parse_template(text) == template


def test_a_template_names_its_values() -> None:
    assert parse_template('{a} {_} "{b}" {…}').names == ("a", "b")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "'' has no holes"),
        ("text", "'text' has no holes"),
        ("{a}\n", r"no line has the line break of '{a}\n'"),
        ("{…}", "'{…}' has no holes"),
        ("{a}{b}", "nothing stands between {a} and {b}"),
        ('{a}"{b}"', None),
        ("{a}{…}", "nothing ends {a}"),
        ("{…} {a}", "{…} may only end a template"),
        ("{a} {…}x", "{…} may only end a template"),
        ("{a} {a}", "{a} stands twice"),
        ("{a} {", "'{' in '{a} {' is no hole"),
        ("{a} }", "'}' in '{a} }' is no hole"),
        ("{}", "'{}' in '{}' is no hole"),
    ],
)
def test_templates_that_are_none(text: str, message: str | None) -> None:
    if message is None:
        with pytest.raises(FormatError, match="nothing stands between"):
            parse_template(text)
        return
    with pytest.raises(FormatError) as raised:
        parse_template(text)
    assert message in str(raised.value)


@pytest.mark.parametrize("text", ["{a}", "{a} {…}", "{a}{b} "])
def test_a_prefix_ends_before_what_follows(text: str) -> None:
    with pytest.raises(FormatError):
        parse_template(text, prefix=True)


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("a.b", ("a", "b")),
        ("a.list[0]", ("a", "list", 0)),
        ("a[0][12].b", ("a", 0, 12, "b")),
        ('"a.b".c', ("a.b", "c")),
        ('"[x]"[1]', ("[x]", 1)),
        ("x-y @z", ("x-y @z",)),
    ],
)
def test_paths(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize("text", ["", ".", "a.", ".a", "a..b", "a[x]", "a[0]b", "[0]", 'a"b', '""', "a[-1]"])
def test_paths_that_are_none(text: str) -> None:
    with pytest.raises(FormatError, match="is no path such as"):
        parse_path(text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("host", Part("host")),
        ("host[0]", Part("label", 0)),
        ("host[-2]", Part("label", -2)),
        ("path[1]", Part("path", 1)),
        ("query.api-key", Part("query", text=b"api-key")),
        ("split(/)[-1]", Part("split", -1, b"/")),
        ("split(])[0]", Part("split", 0, b"]")),
        ("split(é)[0]", Part("split", 0, "é".encode())),
    ],
)
def test_parts(text: str, part: Part) -> None:
    assert parse_part(text) == part


@pytest.mark.parametrize(
    "text", ["", "host[]", "path", "query.", "query.a=b", "split(ab)[0]", "split()[0]", "port", 7, None]
)
def test_parts_that_are_none(text: object) -> None:
    with pytest.raises(ValueError, match=r"is none of host|path needs the number"):
        parse_part(text)


@pytest.mark.parametrize(("text", "seconds"), [("+02:00", 7200), ("-03:30", -12_600), ("+00:00", 0)])
def test_offsets(text: str, seconds: int) -> None:
    assert parse_zone(text) == seconds


@pytest.mark.parametrize("text", ["", "Z", "02:00", "+2:00", "+24:00", "+0200", "Europe/Berlin", 2, None])
def test_offsets_that_are_none(text: object) -> None:
    with pytest.raises(ValueError, match="is no offset from UTC"):
        parse_zone(text)
