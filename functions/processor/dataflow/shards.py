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


def key_of(log: int, shard: int) -> str:
    """Return the key of a shard of the customers of a run's log, from 0; there are others only where one worker does."""
    return f"{KEYS[shard]} {log}" if log else KEYS[shard]


def log_of(key: str) -> int:
    """Return which log of the run a key is of."""
    return int(key.partition(" ")[2] or 0)


_LITTLE_BYTES = 32 << 20
_SHARDS_PER_WORKER = 4


def count_shards(workers: int, held: int) -> int:
    """Return how many shards a worker divides its summaries into.

    Each batch is an item for Python to handle, so a worker that holds little makes as few as it can. Large batches
    are divided more: to add two needs as much memory again. Workers need not agree: a shard of few consists of whole
    shards of many, which go to the same worker. It does not add them up then, so that a customer's day has several
    partial summaries, as when a window has closed early.

    `workers` are those of all processes; `held` is the most bytes of summaries that this one has held.
    """
    if len(KEYS) % workers:
        return len(KEYS)
    return min(workers * (1 if held <= _LITTLE_BYTES else _SHARDS_PER_WORKER), len(KEYS))
