import subprocess
import sys
from pathlib import Path

from cdk import ROOT


def test_there_is_no_wheel_and_it_says_so(tmp_path: Path) -> None:
    """One would lack the local cloud's assets, the migrations and the kernel."""
    command = ["pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path), str(ROOT)]
    done = subprocess.run([sys.executable, "-m", *command], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "runs from its checkout, where `make setup` installs it" in done.stdout + done.stderr
    assert list(tmp_path.iterdir()) == []
