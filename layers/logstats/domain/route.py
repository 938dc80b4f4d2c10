"""Name the route of a request: its method and the template of its path.

This is the readable definition of docs/breakdown.md; the compiled kernel (`logstats.native`) decides the same. Routes that are declared
(`parse_routes`) go before: a path that one of them matches has its template, as it was written.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

MAX_TEMPLATE: Final = 200
"""Bytes of a template; requests with a longer one are `OTHER_NAME`."""
NOT_FOUND_NAME, OTHER_NAME, DECLARED = b"\x01", b"\x02", b"="
"""The stored names of what is no route of its own, and what the stored name of a declared one starts with."""
COMMON_METHODS: Final = frozenset(
    {"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "CONNECT", "TRACE"}
)
"""Those of RFC 9110 and RFC 5789. Of a route that is declared for all methods these are declared; anyone can invent others."""

_NOT_FOUND = 404
_METHOD = re.compile("[A-Z]{1,16}")
_PLAIN = re.compile(rb"[!-$&-?A-~]{0,40}")
"""Printable, without ``%`` and ``@``, and not too long."""
_ONLY_NUMBERS = re.compile(rb"[0-9._,:-]*[0-9][0-9._,:-]*")
_HEXADECIMAL = re.compile(rb"-*([0-9a-fA-F]-*){8,}")
_NUMBERED = re.compile(rb"[A-Za-z]+[_.:~-][0-9]+")
_MANY, _LONG = 10, 20


class RouteError(ValueError):
    """A declared route is wrong; the message is for people."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Match a segment of a path: a text, or one with placeholders (any characters, but not none) between texts."""

    literals: tuple[str, ...]
    """Return what is before, between and behind the placeholders."""

    @property
    def order(self) -> tuple[int, int, str]:
        """The more specific comes first: a text, a placeholder beside the longest texts, a placeholder alone."""
        length = len("".join(self.literals))
        kind = 0 if len(self.literals) == 1 else 1 if length else 2
        return kind, -length if kind else 0, "*".join(self.literals)

    def matches(self, text: bytes) -> bool:
        """Return whether a segment of a path matches."""
        pattern = b".+".join(re.escape(literal.encode()) for literal in self.literals)
        return re.fullmatch(pattern, text, re.DOTALL) is not None


@dataclass(frozen=True, slots=True)
class DeclaredRoute:
    """A route that is named by its template, for one method or for all."""

    method: str | None
    template: str
    segments: tuple[Segment, ...]


Declared = tuple[DeclaredRoute, ...]
"""In the order in which they are tried."""


def parse_routes(texts: Iterable[str]) -> Declared:
    """Read templates such as those of an OpenAPI document: ``/v1/orders/{orderId}``, or ``GET /v1/orders/{orderId}``.

    Source: OpenAPI Specification 3.1.1, section "Paths Object", also for which comes first.

    Raises
    ------
    RouteError
        If one is no template, or matches the same as another one.
    """
    routes = sorted(map(_parse_route, texts), key=_order)
    for one, other in pairwise(routes):
        if _order(one) == _order(other):
            raise RouteError(f"{_text(one)!r} and {_text(other)!r} match the same requests")
    return tuple(routes)


def _order(route: DeclaredRoute) -> tuple[object, ...]:
    return tuple(segment.order for segment in route.segments), route.method is None, route.method or ""


def _text(route: DeclaredRoute) -> str:
    return f"{route.method} {route.template}" if route.method else route.template


def _parse_route(text: str) -> DeclaredRoute:
    method, space, template = text.partition(" ") if not text.startswith("/") else ("", "", text)
    if space and not _METHOD.fullmatch(method):
        raise RouteError(f"{text!r}: the method is not 1 to 16 upper-case letters")
    if not template.startswith("/"):
        raise RouteError(f"{text!r} is neither /PATH nor METHOD /PATH")
    if not re.fullmatch("[!-~]+", template) or re.search("[?#*]", template):
        raise RouteError(f"{text!r}: a template is printable ASCII without spaces, ?, # and *")
    if len(template) > MAX_TEMPLATE:
        raise RouteError(f"{text!r} is longer than {MAX_TEMPLATE} characters")
    return DeclaredRoute(
        method or None, template, tuple(_parse_segment(text, segment) for segment in template[1:].split("/"))
    )


def _parse_segment(text: str, segment: str) -> Segment:
    literals = re.split(r"\{[^{}]+\}", segment)
    if any(re.search("[{}]", literal) for literal in literals):
        raise RouteError(f"{text!r}: a placeholder is {{name}}, within one segment")
    if "" in literals[1:-1]:
        raise RouteError(f"{text!r}: two placeholders have nothing between them")
    return Segment(tuple(literals))


def route_of(method: str | None, path: str | None, status_code: int, declared: Declared = ()) -> bytes:
    """Return the stored name of a request's route.

    Without a readable path, or with status 404, a request has none of its own: `NOT_FOUND_NAME`. What has a strange method, or a
    template that is too long, is `OTHER_NAME`.
    """
    if status_code == _NOT_FOUND or path is None:
        return NOT_FOUND_NAME
    if method is not None and not _METHOD.fullmatch(method):
        return OTHER_NAME
    before = f"{method} ".encode() if method else b""
    segments = path.encode("utf-8", "surrogatepass")[1:].split(b"/")
    if found := _find(declared, method, segments):
        known = method is None or found.method is not None or method in COMMON_METHODS
        return (DECLARED if known else b"") + before + found.template.encode()
    template = b"".join(b"/" + (b"{id}" if _is_generated(segment) else segment) for segment in segments)
    return before + template if len(template) <= MAX_TEMPLATE else OTHER_NAME


def _find(declared: Declared, method: str | None, segments: list[bytes]) -> DeclaredRoute | None:
    """Return the first that matches; of those of the same path the one for the method, or without a method the one for all."""
    fitting = [route for route in declared if _fits(route, segments)]
    suitable = [route for route in fitting if method is None or route.method in (None, method)]
    if not suitable:
        return None
    same = [route for route in suitable if _order(route)[0] == _order(suitable[0])[0]]
    return same[-1] if method is None and same[-1].method is None else same[0]


def _fits(route: DeclaredRoute, segments: list[bytes]) -> bool:
    pairs = zip(route.segments, segments, strict=False)
    return len(route.segments) == len(segments) and all(one.matches(text) for one, text in pairs)


def _is_generated(segment: bytes) -> bool:
    if not _PLAIN.fullmatch(segment):
        return True
    digits = len(re.findall(rb"[0-9]", segment))
    upper, lower = re.search(rb"[A-Z]", segment), re.search(rb"[a-z]", segment)
    return bool(
        _ONLY_NUMBERS.fullmatch(segment)
        or (digits and _HEXADECIMAL.fullmatch(segment))
        or _NUMBERED.fullmatch(segment)
        or (len(segment) >= _MANY and upper and lower and digits > 1)
        or (len(segment) >= _LONG and (upper or lower) and 5 * digits >= len(segment))
    )
