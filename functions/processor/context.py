"""The context of one ingest: when it must be done, and what it has cost."""

import datetime as dt
from dataclasses import dataclass

from processor.deadline import NEVER, Deadline


@dataclass(slots=True)
class Context:
    """Passed along with an ingest or a withdrawal, which fills in what its last try has cost.

    The stored bytes of an object that was read, the seconds of the dataflow, which downloads, parses and stages, and of the
    commit, and how many tries a lost connection to the database has ended. For people only: the first line, and when what now
    counts under the object's name was committed.
    """

    deadline: Deadline = NEVER
    size_bytes: int = 0
    parse_seconds: float = 0
    commit_seconds: float = 0
    lost_connections: int = 0
    first_line: bytes = b""
    counts_since: dt.datetime | None = None
