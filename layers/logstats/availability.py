"""Wait for a database that is away for a while: one that starts, restarts, fails over or resumes.

A paused Aurora takes a connection and is silent until it has resumed: 15 s as a rule, 30 s and more after a day (Aurora user guide,
"Scaling to Zero ACUs with automatic pause and resume"). Everybody but the API waits here; its clients do not wait that long.
Only the standard library is imported: the function that creates the roles has no packages.
"""

import logging
import time
from collections.abc import Callable
from itertools import chain, repeat
from typing import Final, TypeVar

from logstats import failures

T = TypeVar("T")

PATIENCE_SECONDS: Final = 120.0
"""The longest that anybody waits."""
_PAUSES = (0.5, 2.0, 5.0)
"""Seconds between attempts; the last is repeated. A restart of PostgreSQL takes less than the first two."""

logger = logging.getLogger(__name__)


def wait_for(attempt: Callable[[], T], is_away: Callable[[Exception], bool], until: float) -> T:
    """Return what an attempt returns; make it again while its error says that the database is away.

    At least one attempt is made, and none begins later than `until`, on the clock of `time.monotonic()`, or than
    `PATIENCE_SECONDS` from now. What is raised is the error of the last attempt.
    """
    until = min(until, time.monotonic() + PATIENCE_SECONDS)
    pauses = chain(_PAUSES, repeat(_PAUSES[-1]))
    while True:
        try:
            return attempt()
        except Exception as error:
            pause = next(pauses)
            if not is_away(error) or time.monotonic() + pause > until:
                raise
            logger.warning(
                "The database does not answer (%s); trying again in %s s", failures.describe(error), pause
            )
            time.sleep(pause)
