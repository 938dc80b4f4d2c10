"""Measure the API's Lambda function on this machine: ``python -m benchmarks.api.function``.

Start: importing the handler, in fresh processes. Warm: invocations of a kept environment, their CPU time and how
long they wait for the database; then the same through the real `awslambdaric`, which adds its conversation with
Lambda over HTTP.
"""

import importlib
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any

from benchmarks.api import fixture
from tests.execution import execution_environment

STARTS = 11
INVOCATIONS = 2_000
ROOT = Path(__file__).parents[2]
PATH = "/customers/cust_1/stats"
EVENT: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "GET /customers/{proxy+}",
    "rawPath": PATH,
    "rawQueryString": "from=2024-09-03",
    "headers": {"accept": "*/*", "host": "api.example.com", "x-forwarded-for": "203.0.113.7"},
    "requestContext": {
        "domainName": "api.example.com",
        "http": {"method": "GET", "path": PATH, "protocol": "HTTP/1.1", "sourceIp": "203.0.113.7"},
        "requestId": "JKJaXmPLvHcESHA=",
        "stage": "$default",
    },
    "isBase64Encoded": False,
}
CONTEXT = SimpleNamespace(
    function_name="api",
    memory_limit_in_mb=1769,
    invoked_function_arn="arn:aws:lambda:eu-west-1:123456789012:function:api",
    aws_request_id="c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
)
_IMPORT = """
import time
wall, cpu = time.perf_counter(), time.process_time()
import api.handler
print(time.perf_counter() - wall, time.process_time() - cpu)
"""
_WARM = "from benchmarks.api import function; function.invoke()"


def main() -> None:
    with fixture.prepared() as url:
        variables = {
            "DATABASE_URL": url,
            "DATABASE_TLS": "disable",
            "DATABASE_IAM_AUTH": "false",
            "API_AUTH": "none",
        }
        starts = [tuple(map(float, _python(_IMPORT, variables).split())) for _ in range(STARTS)]
        walls, cpus = zip(*starts, strict=True)
        print(
            f"import of the handler, {STARTS} fresh processes: median {median(walls) * 1e3:.0f} ms "
            f"(CPU {median(cpus) * 1e3:.0f} ms), worst {max(walls) * 1e3:.0f} ms"
        )
        for name, settings in (("cache off", {"API_CACHE_BYTES": "0"}), ("cache on", {})):
            wall, cpu = map(float, _python(_WARM, {**variables, **settings}).split())
            print(
                f"warm invocation, {name}: {wall * 1e6:.0f} µs, of which CPU {cpu * 1e6:.0f} µs; "
                f"through awslambdaric {_through_the_runtime({**variables, **settings}) * 1e6:.0f} µs"
            )


def invoke() -> None:
    """Invoke the handler in this process, and print the mean seconds and CPU seconds of an invocation."""
    handler = importlib.import_module("api.handler").handler
    for _ in range(INVOCATIONS // 10):
        handler(EVENT, CONTEXT)
    assert len(json.loads(handler(EVENT, CONTEXT)["body"])) == 30
    wall, cpu = time.perf_counter(), time.process_time()
    for _ in range(INVOCATIONS):
        handler(EVENT, CONTEXT)
    print((time.perf_counter() - wall) / INVOCATIONS, (time.process_time() - cpu) / INVOCATIONS)


def _python(code: str, variables: dict[str, str]) -> str:
    environment = {
        **os.environ,
        **variables,
        "PYTHONPATH": f"{ROOT / 'layers'}:{ROOT / 'functions'}:{ROOT}",
    }
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, check=True, capture_output=True, text=True
    )
    return done.stdout


def _through_the_runtime(variables: dict[str, str]) -> float:
    with execution_environment("api.handler.handler", variables) as api:
        results = [api.invoke(EVENT) for _ in range(INVOCATIONS // 4)]
    assert all(result.kind == "response" for result in results)
    return median(result.seconds for result in results)


if __name__ == "__main__":
    main()
