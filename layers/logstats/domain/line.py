"""Parse one log line, or say why it is rejected.

`parse_line` is the readable definition of the format. The compiled kernel (`logstats.native`) decides
the same, faster; a differential property test holds the two together.
"""

import datetime as dt
import re
import unicodedata
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal
from enum import StrEnum

MAX_LINE_BYTES = 64 * 1024
MAX_CUSTOMER_ID_CHARACTERS = 255
MIN_YEAR, MAX_YEAR = 1970, 2199
"""Windows overflow near the ends of Python's calendar; no log line comes from there."""
MAX_DURATION_SECONDS = Decimal(86_400)

_FIELDS = 6
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_TIME = re.compile(r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]")
_STATUS = re.compile(r"[1-5][0-9]{2}")
_MICROSECOND = Decimal("0.000001")
_DURATION = re.compile(r"[0-9]+(?:\.[0-9]+)?|\.[0-9]+")


class RejectReason(StrEnum):
    """Why a line is rejected: the first that applies, in this order."""

    TOO_LONG = "too_long"
    ENCODING = "encoding"
    FIELD_COUNT = "field_count"
    TIMESTAMP = "timestamp"
    CUSTOMER_ID = "customer_id"
    REQUEST_PATH = "request_path"
    STATUS_CODE = "status_code"
    DURATION = "duration"


@dataclass(frozen=True, slots=True)
class LogLine:
    """One request: the UTC day, the customer, the HTTP status and the duration in microseconds."""

    date: dt.date
    customer_id: str
    status_code: int
    duration_us: int


def parse_line(line: bytes) -> LogLine | RejectReason | None:
    """Read the bytes between two LFs, of which one trailing CR is dropped.

    Return the request, the reason why there is none, or None for a blank line, which counts nowhere.
    """
    line = line.removesuffix(b"\r")
    if not line:
        return None
    if len(line) > MAX_LINE_BYTES:
        return RejectReason.TOO_LONG
    try:
        fields = line.decode("utf-8").split(" ")
    except UnicodeDecodeError:
        return RejectReason.ENCODING
    if len(fields) != _FIELDS:
        return RejectReason.FIELD_COUNT
    date_text, time_text, customer_id, path, status_text, duration_text = fields
    date = _parse_date(date_text)
    duration_us = _parse_duration(duration_text)
    checks = (
        (RejectReason.TIMESTAMP, date and _TIME.fullmatch(time_text)),
        (RejectReason.CUSTOMER_ID, _is_text(customer_id) and len(customer_id) <= MAX_CUSTOMER_ID_CHARACTERS),
        (RejectReason.REQUEST_PATH, _is_text(path) and path.startswith("/")),
        (RejectReason.STATUS_CODE, _STATUS.fullmatch(status_text)),
        (RejectReason.DURATION, duration_us is not None),
    )
    for reason, passed in checks:
        if not passed:
            return reason
    assert date is not None  # noqa: S101 - for the type checker: the checks have passed
    assert duration_us is not None  # noqa: S101
    return LogLine(date, customer_id, int(status_text), duration_us)


def _parse_date(text: str) -> dt.date | None:
    if not _DATE.fullmatch(text):
        return None
    try:
        date = dt.date.fromisoformat(text)
    except ValueError:
        return None
    return date if MIN_YEAR <= date.year <= MAX_YEAR else None


def _parse_duration(text: str) -> int | None:
    """Microseconds, rounded half-even, or None."""
    if not _DURATION.fullmatch(text):
        return None
    seconds = Decimal(text)
    if seconds > MAX_DURATION_SECONDS:
        return None
    return int(seconds.quantize(_MICROSECOND, ROUND_HALF_EVEN).scaleb(6))


def _is_text(text: str) -> bool:
    return bool(text) and not any(unicodedata.category(character) == "Cc" for character in text)
