"""Measure, check the simulation against measured runs, rewrite the tables of docs/scaling.md.

The costs come from workloads of their own, with one process; none of the runs that are checked has a part in them.
"""

import argparse
import os
import platform
import time
from collections.abc import Sequence
from statistics import median

from benchmarks.scaling import page, query
from benchmarks.scaling.costs import fit
from benchmarks.scaling.laboratory import laboratory
from benchmarks.scaling.runs import Check, Runs

TOLERANCE = 0.2


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.scaling", description=(__doc__ or "").split("\n", maxsplit=1)[0]
    )
    parser.add_argument("--runs", type=int, default=5, help="of each workload; the fastest counts")
    options = parser.parse_args()
    started, runs = time.monotonic(), Runs()
    with laboratory() as lab:
        queries = query.measure(lab.year(), lab.postmaster, options.runs)
        for number in range(options.runs):
            runs.add_round(lab)
            print(
                f"round {number + 1} of {options.runs}, {time.monotonic() - started:.0f} s: "
                f"other processes took {median(runs.others):.2f} of {os.cpu_count()} cores",
                flush=True,
            )
    costs = fit(runs.calibration)
    sharing = runs.sharing(costs)
    checks = runs.check(costs, sharing)
    simulation = page.simulation(checks, sharing)
    print(simulation)
    others = (
        f"other processes took {median(runs.others):.2f} cores meanwhile"
        f" (median of {len(runs.others)} runs; at most {max(runs.others):.2f}){_priority()}."
    )
    refuse(checks, others)
    machine = f"Machine: {os.cpu_count()} cores ({platform.machine()}), CPython {platform.python_version()}; {others}"
    tables = {
        "costs": f"{machine}\n\n{page.costs(costs, queries)}",
        "simulation": simulation,
        "limits": page.limits(costs, queries),
        "loads": page.loads(costs, queries),
    }
    page.PAGE.write_text(page.rewritten(page.PAGE.read_text(encoding="utf-8"), tables), encoding="utf-8")


def _priority() -> str:
    """Say so if others could not keep these processes from running (``chrt``)."""
    is_usual = not hasattr(os, "sched_getscheduler") or os.sched_getscheduler(0) == os.SCHED_OTHER
    return "" if is_usual else ", behind these, which had real-time priority"


def refuse(checks: Sequence[Check], others: str) -> None:
    """Exit with an error if a simulated run is off by more than the tolerance."""
    wrong = [
        f"{page.name(check.workload)}, {check.processes} processes: {check.error:+.0%}"
        for check in checks
        if abs(check.error) > TOLERANCE
    ]
    if wrong:
        raise SystemExit(
            f"The simulation is off by more than {TOLERANCE:.0%}, so docs/scaling.md stays as it is: {'; '.join(wrong)}."
            f" On this machine {others}"
        )


if __name__ == "__main__":
    main()
