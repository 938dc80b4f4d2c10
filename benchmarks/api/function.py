"""Measure the API's Lambda function on this machine: ``python -m benchmarks.api.function``.

Start: importing the handler, in fresh processes. Warm: invocations through the real `awslambdaric`, which has its
conversation with Lambda over HTTP.
"""

import os
import subprocess
import sys
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.api import fixture
from tests.execution import execution_environment

STARTS = 11
INVOCATIONS = 500
ROOT = Path(__file__).parents[2]
PATH = "/customers/cust_1/stats"
EVENT: dict[str, Any] = {
    "version": "2.0",
    "rawPath": PATH,
    "rawQueryString": "from=2024-09-03",
    "headers": {},
    "requestContext": {
        "http": {"method": "GET", "path": PATH, "sourceIp": "203.0.113.7"},
        "requestId": "JKJaXmPLvHcESHA=",
        "stage": "$default",
    },
    "isBase64Encoded": False,
}
_IMPORT = """
import time
started = time.perf_counter()
import api.handler
print(time.perf_counter() - started)
"""


def main() -> None:
    with fixture.prepared() as url:
        variables = {
            "DATABASE_URL": url,
            "DATABASE_TLS": "disable",
            "DATABASE_IAM_AUTH": "false",
            "API_AUTH": "none",
        }
        starts = [_import(variables) * 1e3 for _ in range(STARTS)]
        print(f"import of the handler: median {median(starts):.0f} ms, worst {max(starts):.0f} ms")
        for name, settings in (("cache off", {"API_CACHE_BYTES": "0"}), ("cache on", {})):
            print(f"warm invocation, {name}: {_warm({**variables, **settings}) * 1e6:.0f} µs")


def _import(variables: dict[str, str]) -> float:
    path = f"{ROOT / 'layers'}:{ROOT / 'functions'}"
    environment = {**os.environ, **variables, "PYTHONPATH": path}
    return float(subprocess.check_output([sys.executable, "-c", _IMPORT], env=environment))


def _warm(variables: dict[str, str]) -> float:
    with execution_environment("api.handler.handler", variables) as api:
        results = [api.invoke(EVENT) for _ in range(INVOCATIONS)]
    assert all(result.payload["statusCode"] == 200 for result in results)
    return median(result.seconds for result in results)


if __name__ == "__main__":
    main()
