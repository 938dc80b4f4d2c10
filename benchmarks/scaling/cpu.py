"""CPU time of a process and of all it has started, living or dead."""

import psutil


def family_seconds(process: psutil.Process) -> float:
    """Return CPU seconds, user and system, so far.

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
