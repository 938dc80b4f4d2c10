"""Shards: slices of the customers, the keys of the dataflow, dealt evenly to the workers.

Bytewax sends an item to the worker that a hash of its key gives, modulo the number of workers. Keys like ``0``,
``1``, ``2`` come out unevenly: of eight such, one worker of two gets six.
"""

from typing import Final

KEYS: Final = tuple(
    "13 10 37 60 31 19 4 1 33 18 5 6 15 62 61 2 16 14 11 54 55 0 21 8".split()  # noqa: SIM905 - a table
)
"""The hash of key i is i modulo 24: any count of them that the number of workers divides is dealt evenly, if 24 is
a multiple of that number. Tests hold this against Bytewax."""

_SMALL_BYTES = 64 << 20
_SHARDS_PER_WORKER = 4


def count_shards(workers: int, size: int) -> int:
    """Return how many shards a log object needs; all workers, of all processes, must agree.

    Each batch is an item for Python to handle, so small objects get as few as they can. The batches of a large one
    may be large; adding two of them needs as much memory again, so it gets more.

    Parameters
    ----------
    workers
        Those of all processes.
    size
        The log object's bytes.
    """
    if len(KEYS) % workers:
        return len(KEYS)
    return min(workers * (1 if size <= _SMALL_BYTES else _SHARDS_PER_WORKER), len(KEYS))
