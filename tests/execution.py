"""Execution environments for tests: the local cloud's, within Lambda's limits."""

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from local.cloud import execution
from local.cloud.runtime_api import Invocation, Result

SANDBOX = Path(__file__).parent / "lambda_sandbox"
VARIABLES = {
    "AWS_LAMBDA_FUNCTION_NAME": "under-test",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_LOG_FORMAT": "JSON",
    "AWS_REGION": "eu-west-1",
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",  # pragma: allowlist secret - a double's
}


@dataclass(frozen=True, slots=True)
class ExecutionEnvironment:
    """An execution environment that is invoked by hand."""

    environment: execution.ExecutionEnvironment

    def invoke(self, event: object, timeout: float = 90.0, **options: str) -> Result:
        """Invoke the handler, which is told of the timeout; `options` are the invocation's."""
        return self.environment.invoke(Invocation(event, time.time() + timeout, **options))

    def invoke_and_kill(self, event: object, after: float) -> None:
        timer = threading.Timer(after, self.environment.kill)
        timer.start()
        result = self.invoke(event, timeout=300)
        timer.cancel()
        assert result.kind == "exit", f"the handler has answered: {result}"


@contextlib.contextmanager
def execution_environment(
    handler: str, variables: Mapping[str, str], log: Path = Path(os.devnull), within: Sequence[str] = ()
) -> Iterator[ExecutionEnvironment]:
    """Run a handler in Lambda's environment and limits (see `lambda_sandbox`).

    Whatever it writes is appended to `log`. `within` is a command that starts the runtime, if it needs another one
    around it.
    """
    variables = {"PYTHONPATH": str(SANDBOX), **VARIABLES, **variables}
    environment = execution.ExecutionEnvironment([*within, sys.executable], handler, variables, log)
    try:
        yield ExecutionEnvironment(environment)
    finally:
        environment.kill()
