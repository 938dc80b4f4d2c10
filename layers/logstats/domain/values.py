"""Read what a value says: a moment, a duration, a part of an address."""

import datetime as dt
import re
from decimal import ROUND_DOWN, ROUND_HALF_EVEN, Decimal
from functools import lru_cache

from logstats.domain.format import Form, Unit
from logstats.domain.line import MAX_DURATION_US, MAX_YEAR
from logstats.domain.notation import Part

_NUMBER = re.compile(r"(?P<mantissa>[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE](?P<sign>[+-]?)(?P<exponent>[0-9]+))?")
_WITH_UNIT = re.compile(r"(?P<number>[0-9.eE+-]*)(?P<unit>ns|us|µs|ms|s)")
_CLOCK = r"(?P<hour>[01][0-9]|2[0-3]):(?P<minute>[0-5][0-9]):(?P<second>[0-5][0-9])"
_ZONE = r"(?: ?(?P<zone>Z|(?P<sign>[+-])(?P<hours>[01][0-9]|2[0-3])(?::?(?P<minutes>[0-5][0-9]))?))?"
_ISO8601 = re.compile(
    rf"(?P<date>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})[T ]{_CLOCK}(?:[.,](?P<fraction>[0-9]+))?{_ZONE}"
)
_CLF = re.compile(
    rf"(?P<date>[0-9]{{2}}/[A-Z][a-z]{{2}}/[0-9]{{4}}):{_CLOCK}(?:\.(?P<fraction>[0-9]+))?{_ZONE}"
)
_MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split()  # noqa: SIM905 - a table
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://(?P<authority>[^/?#]*)(?P<path>[^?#]*)", re.DOTALL)
_ADDRESS = re.compile(r"^\[|(?:^|\.)[0-9]+\Z")
"""Finds that a host is no name: IPv6 in brackets, or IPv4, which ends in a number."""
_EPOCH = dt.date(1970, 1, 1)
_END_NS = (dt.date(MAX_YEAR + 1, 1, 1) - _EPOCH).days * 86_400 * 10**9
_MICROSECONDS = {"s": 6, "ms": 3, "us": 0, "µs": 0, "ns": -3}
_NANOSECONDS = {"epoch_s": 9, "epoch_ms": 6, "epoch_us": 3, "epoch_ns": 0}
"""The power of ten that leads from each unit to microseconds, and to nanoseconds."""
_FAR = 10**6
"""An exponent that no mantissa makes good within a line: the number is too large, or nothing."""


def parse_number(text: str, power: int = 0) -> Decimal | None:
    """Return a number times a power of ten, exactly, or None: it has digits, perhaps a point or an exponent, no sign."""
    found = _NUMBER.fullmatch(text)
    if not found:
        return None
    digits = (found["exponent"] or "").lstrip("0")
    exponent = int(digits or 0) if len(digits) < 7 else _FAR
    return Decimal(f"{found['mantissa']}E{power + (-exponent if found['sign'] == '-' else exponent)}")


def parse_duration(text: str, unit: Unit) -> int | None:
    """Return microseconds, rounded half to even, or None if it is no duration of at most a day."""
    if unit == "suffix":
        found = _WITH_UNIT.fullmatch(text)
        if not found:
            return None
        text, power = found["number"], _MICROSECONDS[found["unit"]]
    else:
        power = _MICROSECONDS[unit]
    number = parse_number(text, power)
    if number is None or number > MAX_DURATION_US:
        return None
    return int(number.quantize(Decimal(1), ROUND_HALF_EVEN))


def parse_interval(start: str, end: str, form: Form, zone: int) -> int | None:
    """Return the microseconds between two moments, rounded half to even, or None if that is no duration of at most a day."""
    began, ended = parse_timestamp(start, form, zone), parse_timestamp(end, form, zone)
    if began is None or ended is None or not 0 <= ended - began <= MAX_DURATION_US * 1000:
        return None
    return int(Decimal(ended - began).scaleb(-3).quantize(Decimal(1), ROUND_HALF_EVEN))


def parse_timestamp(text: str, form: Form, zone: int) -> int | None:
    """Return nanoseconds since 1970, cut, or None if it is no moment from 1970 to 2199.

    `zone` is the offset from UTC, in seconds, of a text that has none.
    """
    if form in _NANOSECONDS:
        number = parse_number(text, _NANOSECONDS[form])
        return None if number is None or number >= _END_NS else int(number.quantize(Decimal(1), ROUND_DOWN))
    found = (_ISO8601 if form == "iso8601" else _CLF).fullmatch(text)
    date = _parse_date(found["date"]) if found else None
    if found is None or date is None:
        return None
    if found["sign"]:
        zone = int(found["hours"]) * 3600 + int(found["minutes"] or 0) * 60
        zone = -zone if found["sign"] == "-" else zone
    elif found["zone"]:
        zone = 0
    clock = int(found["hour"]) * 3600 + int(found["minute"]) * 60 + int(found["second"])
    seconds = (date - _EPOCH).days * 86_400 + clock - zone
    timestamp = seconds * 10**9 + int((found["fraction"] or "")[:9].ljust(9, "0"))
    return timestamp if 0 <= timestamp < _END_NS else None


@lru_cache(1024)
def _parse_date(text: str) -> dt.date | None:
    """Return the date of ``2024-09-03`` or ``03/Sep/2024``."""
    try:
        if "-" in text:
            return dt.date.fromisoformat(text)
        day, month, year = text.split("/")
        return dt.date(int(year), _MONTHS.index(month) + 1, int(day))
    except ValueError:
        return None


def path_of(target: str) -> str | None:
    """Return the path of a target: of a path itself or of an absolute URL, without query and fragment."""
    if target.startswith("/"):
        return re.split("[?#]", target, maxsplit=1)[0]
    absolute = _ABSOLUTE.match(target)
    return (absolute["path"] or "/") if absolute else None


def take_part(value: str, part: Part) -> str | None:
    """Return a part of a value, or None if it has no such part; nothing is decoded."""
    if part.kind == "query":
        return _parameter(value, part.text.decode())
    if part.kind == "split":
        pieces = value.split(part.text.decode())
    elif part.kind == "path":
        pieces = (path_of(value) or "").split("/")[1:]
    else:
        host = _host(value)
        labels = [] if _ADDRESS.search(host) else host.split(".")
        pieces = labels if part.kind == "label" else [host]
    return pieces[part.index] if -len(pieces) <= part.index < len(pieces) else None


def _parameter(value: str, name: str) -> str | None:
    for parameter in value.partition("#")[0].partition("?")[2].split("&"):
        key, _, text = parameter.partition("=")
        if key == name:
            return text
    return None


def _host(value: str) -> str:
    """Return the host of an absolute URL or of ``user@host:port/...``; empty if it has none."""
    absolute = _ABSOLUTE.match(value)
    authority = absolute["authority"] if absolute else value.partition("/")[0]
    host = authority.rpartition("@")[2]
    if " " in host:  # `- -`, of a request without a target
        return ""
    if host.startswith("[") and "]" in host:
        return host[: host.index("]") + 1]
    return host.partition(":")[0]
