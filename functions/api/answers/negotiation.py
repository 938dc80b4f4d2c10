"""Read what a request's headers choose: the format of the answer, compression (RFC 9110, 12.5), and whether to send it (13)."""

import re
from urllib.parse import quote

from api.answers.representation import Format

_QUALITY = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')


def preferred(accept: str) -> Format:
    """Return the format that an `Accept` header prefers: CSV if it ranks it above JSON."""
    qualities = _qualities(accept)

    def quality(*ranges: str) -> float:
        return next((qualities[name] for name in ranges if name in qualities), 0.0)

    wants_csv = quality("text/csv", "text/*", "*/*") > quality("application/json", "application/*", "*/*")
    return Format.CSV if wants_csv else Format.JSON


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether an `Accept-Encoding` header allows gzip: by name, or by `*`."""
    qualities = _qualities(accept_encoding)
    return qualities.get("gzip", qualities.get("*", 0.0)) > 0


def _qualities(header: str) -> dict[str, float]:
    qualities: dict[str, float] = {}
    for element in header.lower().split(","):
        name, *parameters = (part.strip() for part in element.split(";"))
        match = next((found for part in parameters if (found := _QUALITY.fullmatch(part))), None)
        qualities[name] = float(match[1]) if match else 1.0
    return qualities


def matches(if_none_match: str | None, etag: str) -> bool:
    """Return whether an `If-None-Match` header names an entity tag; the comparison is weak (RFC 9110, 13.1.2)."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _ENTITY_TAG.findall(if_none_match)


def disposition(customer_id: str, form: Format) -> str:
    """Return a `Content-Disposition` with a file name that is safe everywhere (RFC 6266)."""
    safe = _UNSAFE.sub("_", customer_id)[:100]
    exact = quote(f"{customer_id}.{form}", safe="")
    return f"attachment; filename=\"{safe}.{form}\"; filename*=UTF-8''{exact}"
