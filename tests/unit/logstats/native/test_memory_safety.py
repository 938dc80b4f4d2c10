"""The kernel reads what it was given and not a byte more, and survives running out of memory."""

import subprocess
import sys
from pathlib import Path

import pytest

from logstats.formats import presets
from logstats.native import build, compile_format, compile_routes
from tests.reference import ROUTES

ROOT = Path(__file__).parents[4]


def test_nothing_is_read_outside_the_buffer() -> None:
    command = [sys.executable, "-m", "tests.guard_pages"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, check=False, text=True)
    assert (done.returncode, done.stdout) == (0, "all within bounds\n"), done.stderr


@pytest.mark.kernel
def test_every_allocation_may_fail(tmp_path: Path) -> None:
    """A program of the kernel's sources in which one allocation after the other fails."""
    program = tmp_path / "allocation_failures"
    source = Path(__file__).parent / "allocation_failures.c"
    flags = ["-std=c11", "-O1", "-Wall", "-Wextra", "-Werror", f"-I{build.HERE}"]
    flags += ["-DMAX_ROUTES=8", "-DMAX_NOTED=16", "-DMAX_LISTED=16"]
    subprocess.run([sys.executable, "-m", "ziglang", "cc", *flags, source, "-o", program], check=True)
    programs = []
    for name in ("logstats", "aws-cloudfront"):
        programs.append(tmp_path / name)
        programs[-1].write_bytes(compile_format(presets()[name]))
    programs.append(tmp_path / "routes")
    programs[-1].write_bytes(compile_routes(ROUTES))
    done = subprocess.run([program, *programs], capture_output=True, check=False, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    failures = int(done.stdout)
    assert failures > 50
