"""Conditional requests: an answer that a client still has is not sent again (RFC 9110, 13)."""

import re
from typing import Any

CACHE_CONTROL = "private, no-cache"
"""A client may keep an answer, and asks each time whether it is still right."""

HEADERS: dict[str, Any] = {
    "ETag": {
        "description": "Changes with every commit that touches the customer.",
        "schema": {"type": "string"},
    },
    "Cache-Control": {"description": f"`{CACHE_CONTROL}`", "schema": {"type": "string"}},
}

_ENTITY_TAG = re.compile(r'(?:W/)?("[^"]*")')


def matches(if_none_match: str | None, etag: str) -> bool:
    """Whether an `If-None-Match` header names an entity tag; the comparison is weak (RFC 9110, 13.1.2)."""
    if if_none_match is None:
        return False
    return if_none_match.strip() == "*" or etag in _ENTITY_TAG.findall(if_none_match)
