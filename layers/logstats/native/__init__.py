"""The compiled kernel, bound with `ctypes`. The C sources stand beside this file; `build.py` compiles them.

Its work is done without the GIL, but for brief calls (`library.bind`).
"""

from logstats.native.aggregator import REASONS, Aggregator
from logstats.native.batch import Numbers, add_batches, copy_rows, count_summaries, percentiles, records
from logstats.native.breakdown import (
    EVERYTHING,
    ROUTES,
    SLOTS,
    STATUSES,
    CellNumbers,
    Kept,
    add_cells,
    breakdown_items,
    breakdown_total,
    combine_breakdowns,
    sum_breakdowns,
)
from logstats.native.histogram import combine, encode, values_at
from logstats.native.merge import Merged, merge_rows
from logstats.native.periods import write_periods
from logstats.native.program import compile_format
from logstats.native.routes import compile_routes
from logstats.native.totals import percentiles_of_groups, sum_rows

__all__ = [
    "EVERYTHING",
    "REASONS",
    "ROUTES",
    "SLOTS",
    "STATUSES",
    "Aggregator",
    "CellNumbers",
    "Kept",
    "Merged",
    "Numbers",
    "add_batches",
    "add_cells",
    "breakdown_items",
    "breakdown_total",
    "combine",
    "combine_breakdowns",
    "compile_format",
    "compile_routes",
    "copy_rows",
    "count_summaries",
    "encode",
    "merge_rows",
    "percentiles",
    "percentiles_of_groups",
    "records",
    "sum_breakdowns",
    "sum_rows",
    "values_at",
    "write_periods",
]
