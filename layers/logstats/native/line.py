"""Bind the verdict on one line; `logstats.domain.line` defines it."""

from ctypes import c_int

from logstats.native.library import Bytes, Size, bind

REASONS = (
    "too_long",
    "encoding",
    "field_count",
    "timestamp",
    "customer_id",
    "request_path",
    "status_code",
    "duration",
)
"""The rejection reasons in the kernel's numbering, which is the order in which they are tested."""

_classify = bind("classify_line", c_int, Bytes, Size, brief=True)


def classify(line: bytes) -> str | None:
    """Return the rejection reason of one line (without its LF), or None if it is valid or blank."""
    verdict: int = _classify(line, len(line))
    return None if verdict < 0 else REASONS[verdict]
