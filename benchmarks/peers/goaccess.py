"""GoAccess: a process that counts requests by many things; it has no other percentiles, nor those by customer."""

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

FORMAT = (
    '--log-format=%h - %e [%d:%t %^] "%r" %s %b "%R" "%u" %T',
    "--date-format=%d/%b/%Y",
    "--time-format=%T",
)


def aggregate(path: Path, threads: int) -> None:  # noqa: ARG001 - it has one
    """Check that every line counts; there are no rows to compare."""
    with TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = ["goaccess", str(path), *FORMAT, "--no-global-config", "--no-progress", "-o", str(report)]
        subprocess.run(command, check=True, capture_output=True)
        general = json.loads(report.read_bytes())["general"]
    assert general["failed_requests"] == 0 < general["valid_requests"], general
