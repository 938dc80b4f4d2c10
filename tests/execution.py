"""Execution environments for tests: the real `awslambdaric` in a process of its own, within Lambda's limits."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.compose.runtime_api import EnvironmentExitedError, Invocation, Result, RuntimeApi

SANDBOX = Path(__file__).parent / "lambda_sandbox"


@dataclass(frozen=True, slots=True)
class ExecutionEnvironment:
    """A runtime in a process of its own, and the server that invokes it."""

    api: RuntimeApi
    process: "subprocess.Popen[bytes]"

    def invoke(self, event: object, timeout: float = 90.0, **options: str) -> Result:
        """Invoke the handler, which is told of the timeout; `options` are the invocation's."""
        return self.api.invoke(Invocation(event, time.time() + timeout, **options), self._is_alive)

    def invoke_and_kill(self, event: object, after: float) -> None:
        """Kill the environment in the middle of an invocation."""
        timer = threading.Timer(after, self.process.kill)
        timer.start()
        try:
            result = self.invoke(event, timeout=300)
        except EnvironmentExitedError:
            return
        finally:
            timer.cancel()
        raise AssertionError(f"the handler has answered: {result}")

    def _is_alive(self) -> bool:
        return self.process.poll() is None


@contextlib.contextmanager
def execution_environment(
    handler: str,
    variables: Mapping[str, str],
    log: Path = Path(os.devnull),
    within: Sequence[str] = (),
) -> Iterator[ExecutionEnvironment]:
    """Run a handler under the real `awslambdaric`, in Lambda's environment and limits (see `lambda_sandbox`).

    Whatever it writes is appended to `log`. `within` is a command that starts the runtime, if it needs another one
    around it.
    """
    with RuntimeApi() as api, log.open("ab") as output:
        process = subprocess.Popen(
            [*within, sys.executable, "-m", "awslambdaric", handler],
            env={
                "PATH": os.defpath,
                "PYTHONPATH": str(SANDBOX),
                **function_variables(api, handler),
                **variables,
            },
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )
        try:
            yield ExecutionEnvironment(api, process)
        finally:
            process.kill()
            process.wait(timeout=10)


def function_variables(api: RuntimeApi, handler: str) -> dict[str, str]:
    """The variables that Lambda sets."""
    return {
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": "under-test",
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_REGION": "eu-west-1",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ACCESS_KEY_ID": "testing",
        "AWS_SECRET_ACCESS_KEY": "testing",  # pragma: allowlist secret - a double's
        "_HANDLER": handler,
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
    }
