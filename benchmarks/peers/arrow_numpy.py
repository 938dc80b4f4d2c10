"""Kernel design: pyarrow's streaming CSV reader as tokeniser, numpy's `bincount` for the histograms."""

from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from benchmarks.peers import Row, histograms

_MS = histograms.MILLISECONDS


def aggregate(path: Path, threads: int) -> list[Row]:
    """No validation: a broken line stops pyarrow."""
    pa.set_cpu_count(threads)
    text = pa.dictionary(pa.int32(), pa.string())
    types = {"day": text, "customer": text, "status": pa.int16(), "duration": pa.float32()}
    names = ["day", "time", "customer", "path", "status", "duration"]
    blocks = csv.open_csv(
        path,
        csv.ReadOptions(column_names=names, block_size=16 << 20),
        csv.ParseOptions(delimiter=" ", quote_char=False),
        csv.ConvertOptions(include_columns=list(types), column_types=types),
    )
    groups: dict[tuple[str, str], np.ndarray] = {}
    for block in blocks:
        day, customer = block.column("day"), block.column("customer")
        days, customers = day.dictionary.to_pylist(), customer.dictionary.to_pylist()
        group = customer.indices.to_numpy().astype(np.int64) * len(days) + day.indices.to_numpy()
        hundreds = block.column("status").to_numpy() // 100
        milliseconds = np.rint(block.column("duration").to_numpy() * 1000).astype(np.int64)
        size = len(days) * len(customers)
        found = np.empty((size, _MS + 2), np.int64)
        found[:, :_MS] = np.bincount(group * _MS + milliseconds, minlength=size * _MS).reshape(size, _MS)
        found[:, _MS] = np.bincount(group[hundreds == 4], minlength=size)
        found[:, _MS + 1] = np.bincount(group[hundreds == 5], minlength=size)
        for number, counts in enumerate(found):
            key = customers[number // len(days)], days[number % len(days)]
            groups[key] = groups[key] + counts if key in groups else counts
    return [
        row
        for (customer_id, date), counts in groups.items()
        for row in histograms.rows(
            [customer_id], [date], counts[:_MS], counts[_MS : _MS + 1], counts[_MS + 1 :]
        )
    ]
