"""Rows from counts by customer, day and millisecond: what the numpy designs end with."""

import numpy as np
from numpy.typing import NDArray

from benchmarks.peers import Row

MILLISECONDS = 2048
"""The designs are given a log of durations below this, as the generator writes."""


def rows(
    customers: list[str],
    days: list[str],
    counts: NDArray[np.int64],
    client: NDArray[np.int64],
    server: NDArray[np.int64],
) -> list[Row]:
    """Counts are flat: customer, then day, then (the first only) millisecond."""
    result: list[Row] = []
    table = counts.reshape(len(customers) * len(days), MILLISECONDS)
    for group, histogram in enumerate(table):
        running = np.cumsum(histogram)
        total = int(running[-1])
        if not total:
            continue
        ranks = [-(-percent * total // 100) for percent in (50, 90, 95, 99)] + [total]
        p50, p90, p95, p99, most = (int(at) * 1000 for at in np.searchsorted(running, ranks))
        duration_sum = int(histogram @ np.arange(MILLISECONDS)) * 1000
        customer, day = customers[group // len(days)], days[group % len(days)]
        errors = int(client[group]), int(server[group])
        result.append((customer, day, total, *errors, duration_sum, p50, p90, p95, p99, most))
    return result
