"""The time a function has left: what cannot be done in it is not begun, or is stopped before it is cut off."""

import time
from dataclasses import dataclass

from processor.objects import LogObject, SourceError, is_gzip

BYTES_PER_SECOND = 30_000_000
"""What an ingest surely reads per second and core, of stored bytes; see docs/guarantees.md."""
GZIP_BYTES_PER_SECOND = 5_000_000
"""The same for compressed objects, which one core reads; they grow about eight times."""

_TO_SETTLE = 5.0
"""Seconds kept back for rolling back, logging and answering."""


class TooLargeError(SourceError):
    """The object needs more time than the function has; trying again does not help."""


class DeadlineError(Exception):
    """The time is up; nothing was committed, and the next delivery starts again."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a function must be done.

    Attributes
    ----------
    at
        On the clock of `time.monotonic()`.
    """

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the deadline of a function that is cut off in so many seconds."""
        return cls(time.monotonic() + seconds - _TO_SETTLE)

    def check(self) -> None:
        """Raise a `DeadlineError` if the time is up."""
        if time.monotonic() > self.at:
            raise DeadlineError("the function's time is up; nothing was committed")

    def check_size(self, log: LogObject, cores: int) -> None:
        """Raise a `TooLargeError` if an object cannot be read in time, by a conservative estimate."""
        speed = GZIP_BYTES_PER_SECOND if is_gzip(log.key) else BYTES_PER_SECOND * cores
        needed, left = log.size / speed, self.at - time.monotonic()
        if needed > left:
            raise TooLargeError(
                f"{log.size:,} bytes need about {needed:.0f} s, and {max(left, 0):.0f} s are left; ingest it"
                f" from a machine without a time limit: logstats ingest 's3://{log.bucket}/{log.key}'"
            )
