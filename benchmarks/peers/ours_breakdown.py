"""This project, with breakdowns: by customer and day, and these by half-hour, by route and by status."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path

from benchmarks.peers import Cells
from benchmarks.peers.ours import EPOCH, run
from logstats.domain.breakdown import Breakdown
from logstats.native import EVERYTHING, records


def aggregate(path: Path, threads: int) -> Callable[[], Cells]:
    """From opening the file to encoded breakdowns, as they are stored; return how to get them in a common form."""
    batches = run(path, threads, EVERYTHING, lambda batch: batch.encoded)
    return lambda: [cell for batch in batches for cell in _cells(batch)]


def _cells(batch: bytes) -> Cells:
    cells: Cells = []
    for customer, day, numbers, _, encoded in records(batch):
        key = customer.decode(), (EPOCH + dt.timedelta(days=day)).isoformat()
        cells.append((*key, "day", "0", *numbers[:3], numbers[4]))
        found = Breakdown(encoded)
        for kind, items in (("slot", found.slots), ("route", found.routes)):
            cells += [
                (*key, kind, str(name), *cell.numbers.counts[:3], cell.duration_sum_us)
                for name, cell in items.items()
            ]
        cells += [(*key, "status", str(code), count) for code, count in found.statuses.items()]
    return cells
