"""Pages of a list: how many entries, and the cursor that goes on after the last one."""

import base64
import binascii
import datetime as dt
from typing import Annotated

from fastapi import Query
from fastapi.exceptions import RequestValidationError

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000

Limit = Annotated[int, Query(ge=1, le=MAX_LIMIT, description="At most so many entries.")]
After = Annotated[
    str | None,
    Query(
        description="The `next` of the page before; without it, the first page.",
        max_length=2_048,
        examples=["Y3VzdG9tZXJzOmN1c3RfMQ"],
    ),
]

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def encode(kind: str, position: str) -> str:
    """Return an opaque cursor; only the list of its kind takes it."""
    return base64.urlsafe_b64encode(f"{kind}:{position}".encode()).rstrip(b"=").decode()


def decode(kind: str, cursor: str) -> str:
    """Return the position of a cursor.

    Raises
    ------
    RequestValidationError
        If it is none of this list.
    """
    try:
        text = base64.b64decode(
            cursor.encode() + b"=" * (-len(cursor) % 4), altchars=b"-_", validate=True
        ).decode()
    except (binascii.Error, UnicodeError):
        text = ""
    found, _, position = text.partition(":")
    if found != kind or "\0" in position or encode(kind, position) != cursor:  # PostgreSQL's text has no NUL
        raise invalid(cursor)
    return position


def invalid(cursor: str) -> RequestValidationError:
    """Return the refusal of a cursor."""
    return RequestValidationError(
        [
            {
                "type": "cursor",
                "loc": ("query", "after"),
                "msg": "Input should be the `next` of a page",
                "input": cursor,
            }
        ]
    )
