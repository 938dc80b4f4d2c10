"""Refuse what cannot surely be read in time: an ingest that could not be finished is not begun."""

from processor.deadline import Deadline, DeadlineError
from processor.reading.objects import SourceError
from processor.reading.readable import ReadableLog

BYTES_PER_SECOND = 30_000_000
"""Stored bytes that an ingest surely reads per second and core; of a compressed one, which one core reads, `Compression` says it. See docs/guarantees.md."""


class TooLargeError(SourceError):
    """The object needs more time than the function has; trying again does not help."""


def check_size(log: ReadableLog, cores: int, deadline: Deadline) -> None:
    """Check by a conservative estimate that an object can be read in time.

    A `TooLargeError` if the function's whole time would not do, a `DeadlineError` if only the remaining time is too short.
    """
    compression = log.head.compression
    speed = compression.bytes_per_second if compression else BYTES_PER_SECOND * cores
    needed = log.size / speed
    if needed > deadline.whole:
        raise TooLargeError(
            f"{log.size:,} bytes need about {needed:.0f} s, and the function has {max(deadline.whole, 0):.0f} s;"
            f" backfill it (docs/runbook.md), or where the database can be reached: logstats ingest 's3://{log.bucket}/{log.key}'"
        )
    if needed > deadline.remaining():
        raise DeadlineError(
            f"{log.size:,} bytes need about {needed:.0f} s, and only {deadline.remaining():.0f} s are left;"
            " the next delivery has more time"
        )
