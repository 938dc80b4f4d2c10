"""The kernel's batches, packed by hand."""

import struct
from collections.abc import Sequence

from logstats.domain.histogram import LatencyHistogram

RECORD = struct.Struct("=iIII8Q")


def packed(
    customer: bytes,
    day: int,
    durations_us: Sequence[int],
    *,
    untimed: int = 0,
    breakdown: bytes = b"",
    **changes: int,
) -> bytes:
    """One record of requests with these durations and some without, with some of its numbers changed."""
    histogram = LatencyHistogram.of(durations_us).encoded
    numbers = {
        "total": len(durations_us) + untimed,
        "client_errors": 0,
        "server_errors": 0,
        "untimed": untimed,
        "sum": sum(durations_us),
        "min": min(durations_us, default=2**64 - 1),
        "max": max(durations_us, default=0),
    } | changes
    *counts, total_us, least, most = numbers.values()
    halves = (total_us & 2**64 - 1, total_us >> 64)
    header = RECORD.pack(day, len(customer), len(histogram), len(breakdown), *counts, *halves, least, most)
    return header + customer + histogram + breakdown
