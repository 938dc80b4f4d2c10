"""A session of tests that is killed leaves no server running."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil
import pytest

KILLED = """
import os, signal, subprocess, sys
from pathlib import Path
from local import postgres
from tests.conftest import _WATCH
watch = subprocess.Popen([sys.executable, "-IS", "-c", _WATCH, sys.argv[1]], stdin=subprocess.PIPE)
server = postgres.start(Path(sys.argv[1]) / "data")
print(server.server.get_postmaster_info().pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
ROOT = Path(__file__).parents[2]


@pytest.mark.nightly
def test_a_session_of_tests_that_is_killed_leaves_no_server() -> None:
    with tempfile.TemporaryDirectory(prefix="logstats-killed-", ignore_cleanup_errors=True) as folder:
        Path(folder).chmod(0o755)
        killed = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", KILLED, folder],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            check=False,
        )
        assert killed.returncode == -9
        postmaster, deadline = int(killed.stdout), time.monotonic() + 60
        while psutil.pid_exists(postmaster):
            assert time.monotonic() < deadline, "the server is still there"
            time.sleep(0.1)
