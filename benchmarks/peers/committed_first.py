"""This project, all of it, in a process that has ingested nothing before: it connects and compiles its statements."""

from benchmarks.peers import committed


def prepared() -> committed.Prepared:
    """Start an empty database; yield what ingests a file, and returns what reads the rows back."""
    return committed.prepared(warm_up=b"")
