"""The compiled kernel, bound with `ctypes`. The C sources stand beside this file; `build.py` compiles them.

Its work is done without the GIL, but for brief calls (`library.bind`).
"""

from logstats.native.aggregator import REASONS, Aggregator
from logstats.native.batch import Numbers, add_batches, copy_rows, count_summaries, percentiles, records
from logstats.native.histogram import combine, encode, values_at
from logstats.native.program import compile_format
from logstats.native.totals import percentiles_of_groups, sum_rows

__all__ = [
    "REASONS",
    "Aggregator",
    "Numbers",
    "add_batches",
    "combine",
    "compile_format",
    "copy_rows",
    "count_summaries",
    "encode",
    "percentiles",
    "percentiles_of_groups",
    "records",
    "sum_rows",
    "values_at",
]
