"""What the benchmarks have measured."""

from dataclasses import dataclass

BROKEN = "Every tenth line broken"
"""The title of that table."""


@dataclass(frozen=True, slots=True)
class Result:
    """Several runs of a peer on one file: medians of seconds and CPU seconds, the best time, the highest peak in bytes."""

    peer: str
    threads: int
    log: str
    lines: int
    runs: int
    seconds: float
    best: float
    cpu: float
    peak: int
    busy: float
    """The share of the machine that others used just before, at most."""
