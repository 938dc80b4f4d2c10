"""Name what a line comes to: a request, a reason why it is rejected, or a line that is skipped."""

from dataclasses import dataclass
from enum import Enum, StrEnum

MAX_LINE_BYTES = 64 * 1024
MAX_CUSTOMER_ID_CHARACTERS = 255
MIN_YEAR, MAX_YEAR = 1970, 2199
"""Windows overflow near the ends of Python's calendar; no log line comes from there."""
MAX_DURATION_US = 86_400 * 1_000_000
NO_CUSTOMER = "-"
"""The customer of a request that names none."""
CLOSED_STATUS = 499
"""The status of a request whose client was gone before an answer, as nginx logs it."""


class RejectReason(StrEnum):
    """Why a line is rejected: the first that applies, in this order."""

    TOO_LONG = "too_long"
    ENCODING = "encoding"
    LAYOUT = "layout"
    TIMESTAMP = "timestamp"
    CUSTOMER_ID = "customer_id"
    REQUEST_PATH = "request_path"
    STATUS_CODE = "status_code"
    DURATION = "duration"


class Skipped(Enum):
    """A line that is no request by its format: a comment, a header, another message."""

    SKIPPED = "skipped"


SKIPPED = Skipped.SKIPPED


@dataclass(frozen=True, slots=True)
class Request:
    """One request: nanoseconds since 1970, UTC; customer, HTTP method, path and status; microseconds, if logged."""

    timestamp_ns: int
    customer_id: str
    method: str | None
    path: str | None
    status_code: int
    duration_us: int | None
