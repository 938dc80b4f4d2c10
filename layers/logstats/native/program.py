"""Compile a format's declaration into the program that the kernel runs for each line (read by `program.c`).

A program is a sequence of numbers (one, two or four bytes, little-endian) and texts (two bytes of length, then bytes). The
values that the declaration asks for have numbers, in their order.
"""

import struct
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import TypeVar

from logstats.domain.format import PATH, TARGET, Format, parse_format
from logstats.domain.notation import FormatError, Part, Template, parse_path

_VERSION = 1
_NONE, _TARGET, _PATH = 255, 254, 253
_MAX_VALUES = 64
_LAYOUTS = ("text", "json", "logfmt", "columns")
_FORMS = ("iso8601", "clf", "epoch_s", "epoch_ms", "epoch_us", "epoch_ns")
_UNITS = ("s", "ms", "us", "ns", "suffix")
_PARTS = (None, "host", "label", "path", "query", "split")
_SEPARATORS = {"tab": b"\t", "space": b" "}

_Step = str | int
_T = TypeVar("_T")
Number = Callable[[str], int]
"""Returns the number of a named value."""


@cache
def native_program() -> bytes:
    """Return the program of the native format, which every other is compared with."""
    declared = parse_format(
        (Path(__file__).parents[1] / "formats" / "logstats.toml").read_text(encoding="utf-8")
    )
    return _compile(declared, is_native=True)


def compile_format(declared: Format) -> bytes:
    """Return the program of a format; that of the native one may read plain lines without running it.

    Raises
    ------
    FormatError
        If the declaration has more than the kernel can hold.
    """
    program = _compile(declared, is_native=True)
    return program if program == native_program() else _compile(declared, is_native=False)


def _compile(declared: Format, *, is_native: bool) -> bytes:
    names = declared.names
    numbers: dict[object, int] = {}
    for name in names:
        numbers.setdefault(_key(declared, name), len(numbers))
    if len(numbers) > _MAX_VALUES:
        raise FormatError(f"a format asks for at most {_MAX_VALUES} values, not {len(numbers)}")

    def number(name: str) -> int:
        return numbers.get(_key(declared, name), _NONE)

    layout = {"text": _text, "json": _json, "logfmt": _logfmt, "columns": _columns}[declared.layout]
    head = bytes([_VERSION, is_native, _LAYOUTS.index(declared.layout), len(numbers)])
    try:
        return head + layout(declared, names, number) + _meaning(declared, number)
    except (struct.error, ValueError) as error:
        raise FormatError(f"a text or a list of the format is too long: {error}") from None


def _key(declared: Format, name: str) -> object:
    """Return what a value is known by: two names can be the same path in a document."""
    return parse_path(name) if declared.layout == "json" else name


# ---- Layouts ----------------------------------------------------------------------------------------


def _text(declared: Format, _names: tuple[str, ...], number: Number) -> bytes:
    templates = [
        template
        for template, later in zip(declared.template, (*declared.template[1:], None), strict=True)
        if not (later and _reads_as_much(later, template, number))
    ]
    return _list(tuple(templates), lambda template: _template(template, number))


def _reads_as_much(later: Template, template: Template, number: Number) -> bool:
    """Tell whether a template is not needed: a later one ends sooner, fits its lines, too, and has all values that are asked for."""
    count = len(later.holes)
    more = template.holes[count:]
    unread = bool(more) and all(number(hole.name or "") == _NONE for hole in more)
    return unread and later.rest and later.lead == template.lead and later.holes == template.holes[:count]


def _logfmt(declared: Format, names: tuple[str, ...], number: Number) -> bytes:
    prefix = (declared.prefix,) if declared.prefix else ()
    return _list(prefix, lambda template: _template(template, number)) + _texts(names)


def _columns(declared: Format, names: tuple[str, ...], _number: Number) -> bytes:
    return _SEPARATORS[declared.separator or "space"] + _texts(names)


def _texts(names: Iterable[str]) -> bytes:
    return b"".join(_bytes(name) for name in names)


def _template(template: Template, number: Number) -> bytes:
    holes = [
        bytes([number(hole.name) if hole.name else _NONE, hole.quoted]) + _bytes(hole.until)
        for hole in template.holes
    ]
    head = _bytes(template.lead) + _bytes(template.separator) + bytes([template.rest])
    return head + struct.pack("<H", len(holes)) + b"".join(holes)


def _json(_declared: Format, names: tuple[str, ...], number: Number) -> bytes:
    """Write the tree of all paths: of each node its value, and by which keys and indices its children are reached."""
    nodes: list[tuple[int, dict[_Step, int]]] = [(_NONE, {})]
    for name in names:
        at = 0
        for step in parse_path(name):
            children = nodes[at][1]
            if step not in children:
                children[step] = len(nodes)
                nodes.append((_NONE, {}))
            at = children[step]
        nodes[at] = (number(name), nodes[at][1])
    out = struct.pack("<H", len(nodes))
    for value, children in nodes:
        keys = [
            _bytes(step) + struct.pack("<H", to) for step, to in children.items() if isinstance(step, str)
        ]
        indices = [struct.pack("<HH", step, to) for step, to in children.items() if isinstance(step, int)]
        out += bytes([value])
        out += b"".join(struct.pack("<H", len(steps)) + b"".join(steps) for steps in (keys, indices))
    return out


# ---- Meaning ----------------------------------------------------------------------------------------


def _meaning(declared: Format, number: Number) -> bytes:
    def numbers(names: Iterable[str]) -> bytes:
        return _list(tuple(names), lambda name: bytes([number(name)]))

    special = {TARGET: _TARGET, PATH: _PATH}
    timestamp, customer, status = declared.timestamp, declared.customer, declared.status
    only = _list(tuple(declared.only.items()), lambda item: bytes([number(item[0])]) + _list(item[1], _bytes))
    customers = _list(customer.value, lambda name: bytes([special.get(name) or number(name)]))
    return b"".join(
        (
            _list(declared.skip, _bytes),
            only,
            numbers(timestamp.value) + struct.pack("<Bi", _FORMS.index(timestamp.form), timestamp.zone),
            customers + _part(customer.part),
            bytes([number(status.value)]) + _list(status.closed, _bytes),
            _duration(declared, numbers),
            _request(declared, number),
        )
    )


def _part(part: Part | None) -> bytes:
    kind = _PARTS.index(part.kind if part else None)
    return struct.pack("<Bh", kind, part.index if part else 0) + _bytes(part.text if part else b"")


def _duration(declared: Format, numbers: Callable[[Iterable[str]], bytes]) -> bytes:
    duration = declared.duration
    if duration is None:
        return bytes([0]) + numbers(()) + bytes(2)
    if duration.value and duration.unit:
        return bytes([1]) + numbers(duration.value) + bytes([_UNITS.index(duration.unit), 0])
    ends = (duration.start or "", duration.end or "")
    return bytes([2]) + numbers(ends) + bytes([0, _FORMS.index(duration.form or "iso8601")])


def _request(declared: Format, number: Number) -> bytes:
    request = declared.request
    if request is None:
        return bytes([0, _NONE, _NONE, 0])
    value = number(request.value or request.target or "")
    method = number(request.method) if request.method else _NONE
    return bytes([1 if request.value else 2, value, method, request.required])


def _list(items: tuple[_T, ...], write: Callable[[_T], bytes]) -> bytes:
    return bytes([len(items)]) + b"".join(write(item) for item in items)


def _bytes(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return struct.pack("<H", len(data)) + data
