"""Divide a line into its values, by the layout that its format declares.

A value is text as it is written (in JSON: as it is decoded), or None where there is none. Here `-` and an empty text are
values; `logstats.domain.reader` takes them for absent. The four layouts stand together, since each takes values in the same ways.
"""

import json
import re
from typing import NoReturn, Protocol

from logstats.domain.format import Format
from logstats.domain.notation import Hole, Template, parse_path

Values = dict[str, str | None]
FIELDS = b"#Fields:"
"""The start of a line that names the columns (W3C extended log file format, https://www.w3.org/TR/WD-logfile)."""
MAX_DEPTH = 64
"""How deep a JSON document is nested at most; the outermost object is 1."""

_QUOTED = re.compile(rb'"([^"\\]*(?:\\.[^"\\]*)*)"', re.DOTALL)
_PAIR = re.compile(rb'[ \t]*(?P<key>[^= \t]*)(?:=(?:"([^"\\]*(?:\\.[^"\\]*)*)"|"(.*)|([^ \t]*)))?', re.DOTALL)
_BRACKET = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|([\[{])|[\]}]')


class LayoutError(Exception):
    """The line has not the declared form; `values` are those that were read all the same, if any could be."""

    def __init__(self, values: Values | None = None) -> None:
        self.values = values


class Layout(Protocol):
    """One way to divide a line into values."""

    def read(self, line: bytes) -> Values:
        """Return the values of a line that is UTF-8; a name that is not among them is absent.

        Raises
        ------
        LayoutError
            If the line has not the declared form.
        """


class Text:
    """A line with holes: the first of several templates that fits."""

    def __init__(self, declared: Format) -> None:
        self._templates = declared.template

    def read(self, line: bytes) -> Values:
        """Return what is in the holes."""
        for template in self._templates:
            if (values := fit(template, line)) is not None:
                return values
        raise LayoutError


class Json:
    """A JSON object; names are paths in it, and of equal keys the last counts."""

    def __init__(self, declared: Format) -> None:
        self._paths = {name: parse_path(name) for name in declared.names}

    def read(self, line: bytes) -> Values:
        """Return the values at the paths; numbers as they are written."""
        try:
            document = json.loads(line.decode(), parse_int=str, parse_float=str, parse_constant=_refuse)
        except (ValueError, RecursionError):
            raise LayoutError from None
        if not isinstance(document, dict) or _depth(line) > MAX_DEPTH:
            raise LayoutError
        return {name: _value_at(document, path) for name, path in self._paths.items()}


class Logfmt:
    """`key=value` pairs, perhaps after a prefix; of equal keys the last counts."""

    def __init__(self, declared: Format) -> None:
        self._prefix = declared.prefix

    def read(self, line: bytes) -> Values:
        """Return the values of the pairs, and those of the prefix that no pair names."""
        values: Values = {}
        at = 0
        if self._prefix:
            filled = _fill(self._prefix, self._prefix.holes, line)
            if filled is None:
                raise LayoutError
            values, at = filled
        pairs: Values = {}
        while at < len(line):
            pair = _PAIR.match(line, at)
            assert pair  # noqa: S101 - for the type checker: the pattern matches anything
            at = pair.end()
            key, *forms = pair.groups()
            for value in forms:
                if value is not None:
                    pairs[key.decode()] = value.decode()
        if not pairs:
            raise LayoutError(values)
        return values | pairs


class Columns:
    """Values between separators; the latest `#Fields:` line names them."""

    def __init__(self, declared: Format) -> None:
        self._separator = b"\t" if declared.separator == "tab" else b" "
        self._places: dict[str, int] = {}
        self._width = 0
        self._header = b""

    @property
    def header(self) -> bytes:
        """The `#Fields:` line in force; empty if there was none."""
        return self._header

    @header.setter
    def header(self, line: bytes) -> None:
        names = [name for name in re.split(rb"[ \t]", line.removeprefix(FIELDS)) if name]
        self._places = {name.decode(errors="replace"): place for place, name in enumerate(names)}
        self._width = len(names)
        self._header = line

    def read(self, line: bytes) -> Values:
        """Return the values of the columns; the last ones may be missing."""
        values = line.split(self._separator)
        if len(values) > self._width:
            raise LayoutError
        return {
            name: _unquoted(values[place]).decode()
            for name, place in self._places.items()
            if place < len(values)
        }


def fit(template: Template, line: bytes) -> Values | None:
    """Return what is in the holes of a template; None if it does not fit the line."""
    *before, last = template.holes
    filled = _fill(template, before, line)
    if filled is None:
        return None
    values, at = filled
    value = _last_value(template, last, line[at:])
    if value is None:
        return None
    if last.name:
        values[last.name] = value.decode()
    return values


def reach(template: Template, line: bytes) -> int:
    """Return how many holes of a template can be filled before it does not fit any more."""
    holes = template.holes
    return max(count for count in range(len(holes) + 1) if not count or _fill(template, holes[:count], line))


def _fill(template: Template, holes: tuple[Hole, ...] | list[Hole], line: bytes) -> tuple[Values, int] | None:
    """Return what is in the holes, and where the text after the last of them ends."""
    if not line.startswith(template.lead):
        return None
    values: Values = {}
    at = len(template.lead)
    for hole in holes:
        taken = _take(hole, line, at)
        if taken is None:
            return None
        value, end = taken
        if not line.startswith(hole.until, end):
            return None
        if hole.name:
            values[hole.name] = value.decode()
        at = end + len(hole.until)
    return values, at


def _take(hole: Hole, line: bytes, at: int) -> tuple[bytes, int] | None:
    """Return the value that begins there, and where it ends."""
    if not hole.quoted:
        end = line.find(hole.until, at)
        return None if end < 0 else (_unquoted(line[at:end]), end)
    if quoted := _QUOTED.match(line, at):
        return quoted[1], quoted.end()
    return (b"-", at + 1) if line.startswith(b"-", at) else None


def _last_value(template: Template, hole: Hole, line: bytes) -> bytes | None:
    """Return the value of the last hole, of what is left of the line."""
    if hole.quoted:
        taken = _take(hole, line, 0)
        if taken is None:
            return None
        value, end = taken
        left = line[end:]
        fits = left == hole.until or (template.rest and (not left or left.startswith(hole.until)))
        return value if fits else None
    if template.rest:
        return _unquoted(line.partition(hole.until)[0])
    if not line.endswith(hole.until):
        return None
    value = line.removesuffix(hole.until)
    return None if template.separator and template.separator in value else _unquoted(value)


def _unquoted(value: bytes) -> bytes:
    return value[1:-1] if len(value) >= 2 and value[:1] == value[-1:] == b'"' else value


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no JSON")


def _depth(line: bytes) -> int:
    """Return how deep a JSON document is nested, also in values that a later key replaces."""
    deepest = depth = 0
    if line.count(b"[") + line.count(b"{") > MAX_DEPTH:
        for bracket in _BRACKET.finditer(line.decode()):
            if bracket[0][0] != '"':
                depth += 1 if bracket[1] else -1
                deepest = max(deepest, depth)
    return deepest


def _value_at(document: object, path: tuple[str | int, ...]) -> str | None:
    for step in path:
        if isinstance(document, dict) and isinstance(step, str):
            document = document.get(step)
        elif isinstance(document, list) and isinstance(step, int) and step < len(document):
            document = document[step]
        else:
            return None
    if isinstance(document, bool):
        return "true" if document else "false"
    return document if isinstance(document, str) else None


LAYOUTS: dict[str, type[Text | Json | Logfmt | Columns]] = {
    "text": Text,
    "json": Json,
    "logfmt": Logfmt,
    "columns": Columns,
}
