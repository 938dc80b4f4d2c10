"""What goes along with one ingest: when it must be done, and what it has cost."""

from dataclasses import dataclass

from processor.deadline import NEVER, Deadline


@dataclass(slots=True)
class Context:
    """Passed along with an ingest or a withdrawal, which fills in what its last try has cost.

    Attributes
    ----------
    deadline
        When the caller will be cut off.
    size_bytes
        Of the object, as stored; 0 if it was not read.
    parse_seconds, commit_seconds
        Of the dataflow, which downloads, parses and stages; and of the commit.
    lost_connections
        Tries that a lost connection to the database has ended.
    """

    deadline: Deadline = NEVER
    size_bytes: int = 0
    parse_seconds: float = 0
    commit_seconds: float = 0
    lost_connections: int = 0
