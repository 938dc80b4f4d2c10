"""Refuse what cannot surely be read in time: an ingest that could not be finished is not begun."""

from processor.deadline import Deadline, DeadlineError
from processor.reading.objects import SourceError, StoredObject, is_gzip

BYTES_PER_SECOND = 30_000_000
"""Stored bytes that an ingest surely reads per second and core; see docs/guarantees.md."""
GZIP_BYTES_PER_SECOND = 5_000_000
"""The same for compressed objects, which one core reads; they grow about eight times."""


class TooLargeError(SourceError):
    """The object needs more time than the function has; trying again does not help."""


def check_size(log: StoredObject, cores: int, deadline: Deadline) -> None:
    """Check by a conservative estimate that an object can be read in time.

    A `TooLargeError` if the function's whole time would not do, a `DeadlineError` if only the remaining time is too short.
    """
    speed = GZIP_BYTES_PER_SECOND if is_gzip(log.key) else BYTES_PER_SECOND * cores
    needed = log.size / speed
    if needed > deadline.whole:
        raise TooLargeError(
            f"{log.size:,} bytes need about {needed:.0f} s, and the function has {max(deadline.whole, 0):.0f} s;"
            f" ingest it from a machine without a time limit: logstats ingest 's3://{log.bucket}/{log.key}'"
        )
    if needed > deadline.remaining():
        raise DeadlineError(
            f"{log.size:,} bytes need about {needed:.0f} s, and only {deadline.remaining():.0f} s are left;"
            " the next delivery has more time"
        )
