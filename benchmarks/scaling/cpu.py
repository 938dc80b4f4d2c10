"""CPU time of processes."""

from pathlib import Path

import psutil


def own_seconds(pid: int) -> float:
    """Return CPU seconds of a process with one thread so far: to the nanosecond where Linux says so."""
    exact = Path(f"/proc/{pid}/schedstat")
    if exact.exists():
        return int(exact.read_text().split()[0]) / 1e9
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def family_seconds(process: psutil.Process) -> float:
    """Return CPU seconds, user and system, of a process and of all it has started, living or dead, so far.

    A dead child counts once its parent has waited for it, as PostgreSQL's postmaster does.
    """
    times = process.cpu_times()
    total = times.user + times.system + times.children_user + times.children_system
    for child in process.children():
        try:
            own = child.cpu_times()
        except psutil.NoSuchProcess:
            continue  # it has just ended: its parent's figure has it now
        total += own.user + own.system
    return total


def machine_seconds() -> float:
    """Return CPU seconds that this machine has spent on anything so far."""
    times = psutil.cpu_times()
    return float(times.user + times.nice + times.system)
