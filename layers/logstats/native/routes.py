"""Compile declared routes for the kernel (read by `declared.c`)."""

import struct

from logstats.domain.route import Declared, Segment

_STATIC, _PATTERN, _PARAMETER = range(3)


def compile_routes(declared: Declared) -> bytes:
    """Return what the kernel reads: of each route, in their order, method, template and segments.

    Texts have two bytes of length before them, as have lists; a segment has its kind. In a pattern ``?*`` is a placeholder.
    """
    return b"".join(
        _text(route.method or "")
        + _text(route.template)
        + struct.pack("<H", len(route.segments))
        + b"".join(map(_segment, route.segments))
        for route in declared
    )


def _segment(segment: Segment) -> bytes:
    if len(segment.literals) == 1:
        kind, text = _STATIC, segment.literals[0]
    else:
        text = "?*".join(segment.literals)
        kind = _PATTERN if any(segment.literals) else _PARAMETER
    return struct.pack("<H", kind) + _text("" if kind == _PARAMETER else text)


def _text(text: str) -> bytes:
    data = text.encode()
    return struct.pack("<H", len(data)) + data
