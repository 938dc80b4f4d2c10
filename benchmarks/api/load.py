"""The load generators: wrk for throughput and latency, siege for availability."""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

_FOLDER = Path(__file__).parent
_INSTALL = "apt-get install wrk siege (Debian, Ubuntu) or brew install wrk siege (macOS)"


def require(tools: Sequence[str]) -> None:
    """End with an explanation if a load generator is not installed."""
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        raise SystemExit(f"{' and '.join(missing)} cannot be found; install: {_INSTALL}")


def wrk(
    url: str, users: int, seconds: int, customers: int = 1, headers: Sequence[str] = ()
) -> dict[str, float]:
    """Ask without pause on kept connections, from one thread; return what `load.lua` prints."""
    command = ["wrk", "--threads", "1", "--connections", str(users), "--duration", f"{seconds}s"]
    for header in headers:
        command += ["--header", header]
    return _report([*command, "--script", str(_FOLDER / "load.lua"), url, "--", str(customers)])


def siege(url: str, users: int, seconds: int) -> dict[str, float]:
    """Ask without pause, a new connection for every request; return siege's own report."""
    options = ["--rc", str(_FOLDER / "siegerc"), "--benchmark", "--json-output"]
    return _report(["siege", *options, f"--concurrent={users}", f"--time={seconds}S", url])


def _report(command: list[str]) -> dict[str, float]:
    """Return the JSON among what else a load generator prints."""
    output = subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL)
    report: dict[str, float] = json.loads(output[output.index("{") : output.rindex("}") + 1])
    return report
