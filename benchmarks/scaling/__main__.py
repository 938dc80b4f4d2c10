"""Measure, check the simulation against measured runs, rewrite the tables of docs/scaling.md."""

import argparse
import platform
from pathlib import Path

import psutil

from benchmarks.scaling import limits
from benchmarks.scaling.costs import Costs, fit
from benchmarks.scaling.limits import Load
from benchmarks.scaling.simulate import simulate
from benchmarks.scaling.workload import Measured, Workload, database, run

PAGE = Path("docs/scaling.md")
CALIBRATION = (
    Workload(60, 1_000, 50),
    Workload(20, 1_000, 1_000),
    Workload(8, 20_000, 5_000),
    Workload(8, 2_000_000, 50),
    Workload(10, 200_000, 200),
    Workload(10, 1_000_000, 1_000),
)
CHECKS = (
    (Workload(60, 5_000, 200), 1),
    (Workload(60, 5_000, 200), 2),
    (Workload(60, 5_000, 200), 4),
    (Workload(24, 50_000, 2_000), 2),
    (Workload(8, 1_000_000, 500), 2),
)
LOADS = (
    Load("1 GB, an object every hour", 1e9, 1e9 / 24, 100),
    Load("1 GB, an object every minute", 1e9, 1e9 / 1440, 100),
    Load("1 TB, objects of 64 MB", 1e12, 64e6, 1_000),
    Load("1 TB, objects of 1 GB", 1e12, 1e9, 1_000),
    Load("100 TB, objects of 64 MB", 1e14, 64e6, 10_000),
    Load("100 TB, objects of 1 GB, by 10 groups of customers", 1e14, 1e9, 10_000, parallel=10),
)
TOLERANCE = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__)
    parser.add_argument("--runs", type=int, default=3, help="of each workload; the median counts")
    options = parser.parse_args()
    with database() as server:
        names = (f"run_{number}" for number in range(10_000))

        def measure(workload: Workload, processes: int) -> Measured:
            found = [run(server, next(names), workload, processes) for _ in range(options.runs)]
            return sorted(found, key=lambda one: one.seconds)[len(found) // 2]

        busy = psutil.cpu_percent(1.0)
        costs = fit([(workload, measure(workload, 1)) for workload in CALIBRATION])
        rows, worst = [], 0.0
        for workload, processes in CHECKS:
            measured = measure(workload, processes).seconds
            simulated = simulate(
                costs.read(workload),
                costs.commit(workload),
                [len(range(index, workload.objects, processes)) for index in range(processes)],
                psutil.cpu_count() or 1,
            )
            worst = max(worst, abs(simulated / measured - 1))
            rows.append(
                f"| {workload.objects} objects of {workload.lines:,} lines, {workload.customers:,} customers | {processes} "
                f"| {measured:.2f} | {simulated:.2f} | {simulated / measured - 1:+.0%} |"
            )
            print(rows[-1], flush=True)
    machine = f"{psutil.cpu_count()} cores ({platform.machine()}), CPython {platform.python_version()}, others used {busy:.0f} % of them at the start"
    _write(costs, rows, machine)
    if worst > TOLERANCE:
        raise SystemExit(f"the simulation is off by up to {worst:.0%}: measure again on a quiet machine")


def _write(costs: Costs, checks: list[str], machine: str) -> None:
    sections = {
        "costs": _costs(costs, machine),
        "simulation": "\n".join(
            ["| workload | processes | measured, s | simulated, s | |", "|---|--:|--:|--:|--:|", *checks]
        ),
        "limits": _limits(costs),
    }
    text = PAGE.read_text()
    for name, content in sections.items():
        before, _, rest = text.partition(f"<!-- {name} -->")
        _, end, after = rest.partition(f"<!-- end of {name} -->")
        text = f"{before}<!-- {name} -->\n{content}\n{end}{after}"
    PAGE.write_text(text)


def _costs(costs: Costs, machine: str) -> str:
    return "\n".join(
        [
            f"Machine: {machine}.",
            "",
            "| | |",
            "|---|--:|",
            f"| reading and staging: per object | {costs.read_object * 1e3:.1f} ms |",
            f"| per line | {costs.read_line * 1e9:.0f} ns |",
            f"| per customer-day | {costs.read_row * 1e6:.0f} µs |",
            f"| per histogram bucket | {costs.read_bucket * 1e9:.0f} ns |",
            f"| commit, one at a time: per object | {costs.commit_object * 1e3:.1f} ms |",
            f"| per customer-day | {costs.commit_row * 1e6:.0f} µs |",
            f"| per histogram bucket | {costs.commit_bucket * 1e9:.0f} ns |",
            f"| CPU of the processor, of PostgreSQL, per second of ingest | {costs.processor_share:.2f} s, {costs.database_share:.2f} s |",
            f"| storage of a customer-day of an object, with indexes | {costs.row_bytes:,.0f} bytes |",
        ]
    )


def _limits(costs: Costs) -> str:
    rows = [
        "| a day's logs | objects/s | processors | lock of the commits | ACU | GB a year |",
        "|---|--:|--:|--:|--:|--:|",
    ]
    for load in LOADS:
        use = limits.use(costs, load)
        rows.append(
            f"| {load.name}, {load.customers:,} customers | {load.objects / limits.DAY:.3g} | {use.processors:.2g} "
            f"| {use.commits:.2g} | {use.acu:.2g} | {use.gigabytes_per_year:.3g} |"
        )
    most = ", ".join(
        f"{limits.most_objects_per_second(costs, customers):.2g} with {customers:,}"
        for customers in (100, 1_000, 10_000)
    )
    return "\n".join(
        [*rows, "", f"Objects per second that can be committed if each touches all customers: {most}."]
    )


if __name__ == "__main__":
    main()
