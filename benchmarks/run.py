"""Run the benchmarks and write docs/performance.md's figures: ``python -m benchmarks.run`` (``make bench``)."""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from statistics import median

import psutil

from benchmarks.figures import MACHINE, bars, renew, table
from local.generator import Traffic

PAGE = Path("docs/performance.md")
CHART = Path("docs/performance.svg")
FOLDER = Path(".local/bench")
NAMES = {
    "ours": "logstats, result in memory",
    "committed": "logstats, committed to PostgreSQL",
    "ours_zlib": "logstats with zlib",
    "duckdb_query": "DuckDB 2",
    "ours_breakdown": "logstats, broken down",
    "duckdb_breakdown": "DuckDB 2, four groupings",
    "polars_query": "Polars 2",
    "textbook": "textbook Bytewax flow",
    "goaccess": "GoAccess 1.7",
}
PEERS = (("ours", 2), ("ours", 1), ("committed", 2), ("duckdb_query", 2), ("polars_query", 2))
CARDINALITIES = ((5_000_000, 1_000_000, 1), (1_000_000, 100, 365))
"""Lines, customers and days of logs that are ingested once."""
HEADER = ("", "threads", "seconds", "times the first", "best", "CPU seconds", "million lines/s", "peak MB")

Runs = list[dict[str, float]]
Results = Mapping[tuple[str, int], Runs]
"""The output of each run, by peer and number of threads."""


def kept(path: Path, blocks: Callable[[], Iterable[bytes]]) -> Path:
    """Write a file, once."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial")
        with partial.open("wb") as file:
            file.writelines(blocks())
        partial.rename(path)
    return path


def log(lines: int, *, customers: int = 50, days: int = 30) -> Path:
    """Generate a log, once."""
    traffic = Traffic(days=days, customers=customers)
    return kept(FOLDER / f"{lines}-{customers}-{days}.log", lambda: traffic.log(lines))


def compare(
    contenders: Sequence[tuple[str, int]], path: Path, runs: int, digests: set[str] | None = None
) -> Results:
    """Run the contenders in turn, several times; all must have the same result, and that of `digests` if there are any."""
    found: dict[tuple[str, int], Runs] = {contender: [] for contender in contenders}
    digests = set() if digests is None else digests
    for _ in range(runs):
        for (peer, threads), results in found.items():
            busy = _wait_for_quiet()
            command = [sys.executable, "-m", "benchmarks.child", peer, str(path), str(threads)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            result = json.loads(output.splitlines()[-1])
            digests |= {result.pop("digest")} - {None}
            results.append(result | {"busy": busy})
            print(path.name, peer, threads, f"{result['seconds']:.3f} s", file=sys.stderr, flush=True)
    if len(digests) > 1:
        raise SystemExit(f"{path}: the results differ")
    return found


def _wait_for_quiet(patience: float = 5) -> float:
    """Wait until others leave the machine alone; return how much they still use."""
    until = time.monotonic() + patience
    while (busy := psutil.cpu_percent(0.2) / 100) > 0.1 and time.monotonic() < until:
        pass
    return busy


def median_of(runs: Runs, key: str = "seconds") -> float:
    """Return the median of what the runs have by a name."""
    return median(run[key] for run in runs)


def section(title: str, lines: int, *logs: Results, names: Sequence[str] = ()) -> str:
    """Return a table of what the contenders took with a log, or with several, which have names then."""
    rows: list[tuple[str, ...]] = []
    for name, results in zip_longest(names, logs):
        if name:
            rows.append((f"**{name}**", *[""] * (len(HEADER) - 1)))
        first = median_of(next(iter(results.values())))
        rows += [
            (
                NAMES[peer],
                str(threads),
                f"{median_of(runs):.3f}",
                f"{median_of(runs) / first:.1f}",
                f"{min(run['seconds'] for run in runs):.3f}",
                f"{median_of(runs, 'cpu'):.2f}",
                f"{lines / median_of(runs) / 1e6:.1f}",
                f"{max(run['peak'] for run in runs) / 1e6:.0f}",
            )
            for (peer, threads), runs in results.items()
        ]
    every = [runs for results in logs for runs in results.values()]
    count = f"{len(every[0])} run{'s' if len(every[0]) > 1 else ''} of each"
    busy = (
        f"other processes used up to {max(run['busy'] for runs in every for run in runs):.0%} of the machine"
    )
    return f"### {title}, {lines:,} lines\n\n{count}; {busy}.\n\n{table(HEADER, *rows)}"


def machine() -> str:
    """Say what machine this is, and how busy."""
    return f"Machine: {MACHINE}, load {psutil.getloadavg()[0]:.1f} before the first run."


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    sizes = [1_000_000, 10_000_000, 50_000_000]
    parser.add_argument(
        "--lines", type=int, nargs="+", default=sizes, help="sizes; all but the textbook flow"
    )
    parser.add_argument(
        "--textbook", type=int, nargs="*", default=[100_000], help="its sizes; 1 million takes minutes"
    )
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    sections: list[str] = []
    largest: Results = {}
    for lines in sorted(options.lines):
        largest = compare(PEERS, log(lines), options.runs)
        sections.append(section("Peers", lines, largest))
    for lines in options.textbook:
        runs = options.runs if lines <= 100_000 else 1
        results = compare([("ours", 1), ("textbook", 1)], log(lines), runs)
        sections.append(section("Textbook flow", lines, results))
    for lines, customers, days in CARDINALITIES:
        results = compare([("committed", 2)], log(lines, customers=customers, days=days), 1)
        sections.append(section(f"Customers: {customers:,}, days: {days}", lines, results))
    what = "Seconds and CPU seconds are medians; CPU is that of the process alone, without the database's."
    page = "\n\n".join((f"{machine()} {what}", *sections))
    renew(PAGE, page)
    print(page)
    widths = {f"{NAMES[peer]}, {threads}": median_of(runs) for (peer, threads), runs in largest.items()}
    CHART.write_text(bars("Seconds by contender and threads, less is better", widths, digits=2), "utf-8")


if __name__ == "__main__":
    main()
