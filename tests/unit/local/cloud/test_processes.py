"""Children end when they are told to, and never outlive their parent."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from local.cloud.processes import Child

WAITS = "import sys; sys.stdin.buffer.read()"
HAS_A_CHILD = (
    "import subprocess, sys; p = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'],"
    " stdout=subprocess.DEVNULL); print(p.pid, flush=True); p.wait()"
)


def child(code: str, folder: Path) -> Child:
    return Child([sys.executable, "-c", code], os.environ, folder / "log" / "child.log", talks=True)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def eventually_gone(pid: int) -> bool:
    deadline = time.monotonic() + 10
    while not gone(pid) and time.monotonic() < deadline:
        time.sleep(0.02)
    return gone(pid)


@pytest.mark.parametrize(
    ("code", "seconds", "status"), [(WAITS, 10, 0), ("import time; time.sleep(60)", 0.1, -signal.SIGKILL)]
)
def test_hanging_up_kills_only_what_does_not_end(
    code: str, seconds: float, status: int, tmp_path: Path
) -> None:
    running = child(code, tmp_path)
    running.hang_up(seconds)
    assert running.exit_code == status


def test_its_children_go_with_it(tmp_path: Path) -> None:
    with child(HAS_A_CHILD, tmp_path) as running:
        grandchild = int(running.answers.readline())
        assert not gone(grandchild)
    assert eventually_gone(grandchild)


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_it_ends_with_its_parent_however_that_ends(how: signal.Signals, tmp_path: Path) -> None:
    parent_code = (
        "import os, sys, time; from pathlib import Path; from local.cloud.processes import Child\n"
        f"child = Child([sys.executable, '-c', {WAITS!r}], os.environ, Path({str(tmp_path / 'log')!r}))\n"
        "print(child.pid, flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", parent_code], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.send_signal(how)
    parent.wait(10)
    parent.stdout.close()
    assert eventually_gone(pid)
