"""Run the benchmarks and write docs/performance.md's figures: ``python -m benchmarks.run`` (``make bench``)."""

import argparse
import json
import platform
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

import psutil

from benchmarks import report
from benchmarks.report import BROKEN, Result, ratios
from local.generator import Traffic

FOLDER = Path(".local/bench")
PEERS = (
    ("ours", 2),
    ("ours", 1),
    ("committed", 2),
    ("committed_first", 2),
    ("duckdb_query", 2),
    ("polars_query", 2),
)


def log(lines: int, *, customers: int = 50, days: int = 30, broken: bool = False) -> Path:
    """Generate a log, once."""
    path = FOLDER / f"{lines}-{customers}-{days}{'-broken' if broken else ''}.log"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with path.with_suffix(".partial").open("wb") as file:
            for block in Traffic(42, report.END, days, customers).log(lines):
                file.write(_break(block) if broken else block)
        path.with_suffix(".partial").rename(path)
    return path


def _break(block: bytes) -> bytes:
    """Let every tenth line have a status that is no number."""
    lines = block.split(b"\n")
    for number in range(0, len(lines) - 1, 10):
        fields = lines[number].split(b" ")
        lines[number] = b" ".join((*fields[:4], b"OK", fields[5]))
    return b"\n".join(lines)


def compare(contenders: Sequence[tuple[str, int]], path: Path, lines: int, runs: int) -> list[Result]:
    """Run the contenders in turn, several times; all must have the same result."""
    found: dict[tuple[str, int], list[dict[str, float]]] = {contender: [] for contender in contenders}
    digests, busy = set(), 0.0
    for _ in range(runs):
        for (peer, threads), results in found.items():
            busy = max(busy, _wait_for_quiet())
            command = [sys.executable, "-m", "benchmarks.child", peer, str(path), str(threads)]
            output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
            results.append(json.loads(output.splitlines()[-1]))
            digests.add(results[-1]["digest"])
            print(
                f"{path.name} {peer} x{threads}: {results[-1]['seconds']:.3f} s", file=sys.stderr, flush=True
            )
    if len(digests) > 1:
        raise SystemExit(f"{path}: the results differ")
    return [
        Result(
            peer,
            threads,
            lines,
            runs,
            median(result["seconds"] for result in results),
            min(result["seconds"] for result in results),
            median(result["cpu"] for result in results),
            int(max(result["peak"] for result in results)),
            busy,
        )
        for (peer, threads), results in found.items()
    ]


def _wait_for_quiet(patience: float = 5) -> float:
    """Wait until others leave the machine alone; return how much they still use."""
    until = time.monotonic() + patience
    while (busy := psutil.cpu_percent(0.2) / 100) > 0.1 and time.monotonic() < until:
        pass
    return busy


def _parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split(":")[0])
    parser.add_argument(
        "--lines",
        type=int,
        nargs="+",
        default=[1_000_000, 10_000_000, 50_000_000],
        help="sizes; all but the textbook flow",
    )
    parser.add_argument(
        "--textbook", type=int, nargs="*", default=[100_000], help="its sizes; 1 million takes minutes"
    )
    parser.add_argument(
        "--cardinality",
        type=int,
        nargs=3,
        action="append",
        metavar=("LINES", "CUSTOMERS", "DAYS"),
        help="logs of many customers or days, ingested once",
    )
    parser.add_argument("--runs", type=int, default=3)
    options = parser.parse_args()
    options.cardinality = options.cardinality or [[5_000_000, 1_000_000, 1], [1_000_000, 100, 365]]
    return options


def _measure(options: argparse.Namespace) -> dict[str, list[Result]]:
    """Run everything; results by the title of their table."""
    sizes, runs = sorted(options.lines), options.runs
    sections = {f"Peers, {lines:,} lines": compare(PEERS, log(lines), lines, runs) for lines in sizes}
    middle = sizes[len(sizes) // 2]
    sections[BROKEN] = compare([("ours", 1)], log(middle, broken=True), middle, runs)
    for lines in options.textbook:
        once = runs if lines <= 100_000 else 1
        sections[f"Textbook flow, {lines:,} lines"] = compare(
            [("textbook", 1), ("ours", 1)], log(lines), lines, once
        )
    for lines, customers, days in options.cardinality:
        path = log(lines, customers=customers, days=days)
        sections[f"{customers:,} customers, {_days(days)}"] = compare([("committed", 2)], path, lines, 1)
    return sections


def _days(count: int) -> str:
    return f"{count} day{'s' if count > 1 else ''}"


def main() -> None:
    sections = _measure(_parse())
    machine = (
        f"{psutil.cpu_count()} cores ({platform.processor() or platform.machine()}), {platform.system()}, "
    )
    machine += f"CPython {platform.python_version()}"
    report.write(sections, machine)
    for claim, figure in ratios(sections):
        print(f"{claim}: {figure}")


if __name__ == "__main__":
    main()
