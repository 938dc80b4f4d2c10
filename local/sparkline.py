"""Sparklines: a row of characters as high as its numbers (Tufte, Beautiful Evidence, 2006)."""

from collections.abc import Sequence
from math import ceil

_BARS = "▁▂▃▄▅▆▇█"
_NOTHING = "·"


def sparkline(values: Sequence[float | None], width: int) -> str:
    """Return one character for each value, or for each run of neighbours if there are more than `width`.

    Heights go from 0 to the largest value; a run is as high as its mean. None, and a run of nothing but None, is a
    dot: no data, as opposed to the lowest bar.

    Examples
    --------
    >>> sparkline([1, 4, None, 8], 10)
    '▁▄·█'
    """
    count = min(width, len(values))
    runs = [values[len(values) * n // count : len(values) * (n + 1) // count] for n in range(count)]
    heights = [_mean(run) for run in runs]
    highest = max((height for height in heights if height is not None), default=0) or 1
    return "".join(
        _NOTHING if height is None else _BARS[max(0, ceil(height / highest * len(_BARS)) - 1)]
        for height in heights
    )


def _mean(run: Sequence[float | None]) -> float | None:
    known = [value for value in run if value is not None]
    return sum(known) / len(known) if known else None
