"""Read the notations of a declaration: templates, paths into a document, parts of a value, offsets from UTC."""

import re
from dataclasses import dataclass
from typing import Literal

_REST = "{…}"
_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<name>[^{}]*)\}|[{}]")
_PART = re.compile(
    r"(?P<kind>host|path)(?:\[(?P<index>-?[0-9]{1,4})\])?"
    r"|query\.(?P<name>[^&=#\s]+)|split\((?P<separator>.)\)\[(?P<piece>-?[0-9]{1,4})\]"
)
_ZONE = re.compile(r"(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3]):(?P<minutes>[0-5][0-9])")
_SEGMENT = re.compile(r'(?:"(?P<quoted>[^"]+)"|(?P<key>[^."\[\]]+))(?P<indices>(?:\[[0-9]{1,4}\])*)')


class FormatError(ValueError):
    """A declaration is wrong; the message is one line that names the key."""


@dataclass(frozen=True, slots=True)
class Hole:
    """A value in a template: its name (None: read and forgotten), whether quotes stand around it, and the text that follows it.

    Of a quoted one, neither `until` nor the text before has the quotes.
    """

    name: str | None
    quoted: bool
    until: bytes


@dataclass(frozen=True, slots=True)
class Template:
    """A line with holes: the text that it starts with, the holes in their order, and whether anything may follow.

    With `rest`, the text after the last hole, and whatever comes then, may be missing.
    """

    lead: bytes
    holes: tuple[Hole, ...]
    rest: bool
    separator: bytes
    """Not to be found in the last value if the line ends with it: the character before it; empty for any."""

    @property
    def names(self) -> tuple[str, ...]:
        """The values that the template reads."""
        return tuple(hole.name for hole in self.holes if hole.name)


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a value: ``host``, ``label`` and ``path`` by index, ``query`` by name, ``split`` by separator and index."""

    kind: Literal["host", "label", "path", "query", "split"]
    index: int = 0
    text: bytes = b""


def parse_template(text: str, *, prefix: bool = False) -> Template:
    """Read a template; a `FormatError` if it is none. A `prefix` may be followed by anything."""
    if "\n" in text:
        raise FormatError(f"no line has the line break of {text!r}")
    texts, names = _divide(text)
    rest = names[-1:] == ["…"]
    if rest:
        names.pop()
        if prefix or texts.pop():
            raise FormatError(f"{_REST} may only end a template of whole lines, not {text!r}")
    if "…" in names:
        raise FormatError(f"{_REST} may only end a template, not stand within {text!r}")
    if not names:
        raise FormatError(f"{text!r} has no holes")
    quoted = _take_quotes(texts, len(names))
    _check(text, texts, names, quoted, open_end=rest or prefix)
    holes = tuple(
        Hole(None if name == "_" else name, is_quoted, until.encode())
        for name, is_quoted, until in zip(names, quoted, texts[1:], strict=True)
    )
    free = rest or prefix or quoted[-1] or texts[-1]
    return Template(texts[0].encode(), holes, rest, b"" if free else texts[-2][-1:].encode())


def _divide(text: str) -> tuple[list[str], list[str]]:
    """Return the literal texts of a template, and between them the names of its holes."""
    texts, names, at = [""], [], 0
    for token in _TOKEN.finditer(text):
        texts[-1] += text[at : token.start()]
        at = token.end()
        if token[0] in ("{{", "}}"):
            texts[-1] += token[0][0]
        elif not token["name"]:
            raise FormatError(f"{token[0]!r} in {text!r} is no hole; a brace itself is written twice")
        else:
            names.append(token["name"])
            texts.append("")
    texts[-1] += text[at:]
    return texts, names


def _take_quotes(texts: list[str], holes: int) -> list[bool]:
    """Take the quotes that stand around holes out of the texts; return which holes had them."""
    quoted = []
    for i in range(holes):
        quoted.append(texts[i].endswith('"') and texts[i + 1].startswith('"'))
        if quoted[i]:
            texts[i], texts[i + 1] = texts[i][:-1], texts[i + 1][1:]
    return quoted


def _check(text: str, texts: list[str], names: list[str], quoted: list[bool], *, open_end: bool) -> None:
    for i, name in enumerate(names[:-1]):
        if not texts[i + 1] and not quoted[i]:
            raise FormatError(f"nothing stands between {{{name}}} and {{{names[i + 1]}}} in {text!r}")
    if open_end and not texts[-1] and not quoted[-1]:
        raise FormatError(f"nothing ends {{{names[-1]}}} in {text!r}")
    for name in names:
        if name != "_" and names.count(name) > 1:
            raise FormatError(f"{{{name}}} stands twice in {text!r}; forget one as {{_}}")


def parse_path(name: str) -> tuple[str | int, ...]:
    """Read where a value stands in a JSON document: ``a.list[0]``, ``"a.b".c``; a `FormatError` if it says no such thing."""
    steps: list[str | int] = []
    at = 0
    while found := _SEGMENT.match(name, at):
        steps.append(found["quoted"] or found["key"])
        steps += [int(index) for index in re.findall(r"[0-9]+", found["indices"])]
        at = found.end()
        if at == len(name):
            return tuple(steps)
        if name[at] != ".":
            break
        at += 1
    raise FormatError(f"{name!r} is no path such as a.b or a.list[0]")


def parse_part(text: object) -> Part:
    """Read which part of a value is meant."""
    found = _PART.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"{text!r} is none of host, host[N], path[N], query.NAME, split(C)[N]")
    if found["name"]:
        return Part("query", text=found["name"].encode())
    if found["separator"]:
        return Part("split", int(found["piece"]), found["separator"].encode())
    if found["index"] is None:
        if found["kind"] == "path":
            raise ValueError("path needs the number of a segment: path[0]")
        return Part("host")
    return Part("label" if found["kind"] == "host" else "path", int(found["index"]))


def parse_zone(text: object) -> int:
    """Read an offset such as ``+02:00``, in seconds."""
    found = _ZONE.fullmatch(text) if isinstance(text, str) else None
    if not found:
        raise ValueError(f"{text!r} is no offset from UTC such as +02:00")
    seconds = int(found["hours"]) * 3600 + int(found["minutes"]) * 60
    return -seconds if found["sign"] == "-" else seconds
