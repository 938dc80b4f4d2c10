"""The load generators: wrk for throughput and latency, siege for availability."""

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_FOLDER = Path(__file__).parent
_UNITS_MS = {"us": 0.001, "ms": 1.0, "s": 1_000.0, "m": 60_000.0}
_INSTALL = "apt-get install wrk siege (Debian, Ubuntu) or brew install wrk siege (macOS)"


@dataclass(frozen=True, slots=True)
class Measured:
    """One run: answers, answers per second, latency in milliseconds, and what went wrong (0 or the run is void)."""

    answers: int
    per_second: float
    p50_ms: float
    p99_ms: float
    failures: int


def require(tools: Sequence[str]) -> None:
    """End with an explanation if a load generator is not installed."""
    if missing := [tool for tool in tools if shutil.which(tool) is None]:
        raise SystemExit(f"{' and '.join(missing)} cannot be found; install: {_INSTALL}")


def wrk(url: str, users: int, seconds: int, *options: str) -> Measured:
    """Ask without pause on kept connections, from one thread."""
    command = ["wrk", "--threads", "1", "--connections", str(users), "--duration", f"{seconds}s"]
    output = _output([*command, "--latency", *options, url])
    if found := re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output):
        failures = sum(map(int, found.groups()))
    else:
        failures = 0
    if found := re.search(r"Non-2xx or 3xx responses: (\d+)", output):
        failures += int(found[1])
    return Measured(
        int(_search(r"(\d+) requests in", output)),
        float(_search(r"Requests/sec:\s+([\d.]+)", output)),
        _milliseconds(_search(r"(?m)^ +50% +(\S+) *$", output)),
        _milliseconds(_search(r"(?m)^ +99% +(\S+) *$", output)),
        failures,
    )


def siege_command(url: str, users: int, seconds: int) -> list[str]:
    """Return the command that asks without pause, a new connection for every request."""
    options = ["--rc", str(_FOLDER / "siegerc"), "--benchmark", "--json-output"]
    return ["siege", *options, f"--concurrent={users}", f"--time={seconds}S", url]


def siege(url: str, users: int, seconds: int) -> dict[str, float]:
    """Run siege, and return its own report."""
    return siege_report(_output(siege_command(url, users, seconds)))


def siege_report(output: str) -> dict[str, float]:
    """Read what siege has printed."""
    report: dict[str, float] = json.loads(output[output.index("{") : output.rindex("}") + 1])
    return report


def _output(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def _search(pattern: str, text: str) -> str:
    found = re.search(pattern, text)
    if found is None:
        raise SystemExit(f"the load generator's output is not understood:\n{text}")
    return found[1]


def _milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)([a-z]+)", text).groups()  # type: ignore[union-attr]
    return float(number) * _UNITS_MS[unit]
