"""Execution environments: processes that run a handler under Lambda's own runtime interface client."""

import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from local.cloud.processes import Child
from local.cloud.runtime_api import Invocation, Result, RuntimeApi

_RUNTIME = Path(__file__).with_name("runtime.py")


class ExecutionEnvironment:
    """One process, for one invocation at a time.

    Parameters
    ----------
    interpreter
        The command that starts the Python of the environment with the function's packages.
    handler
        ``module.function``.
    variables
        Its environment variables, beside those that Lambda sets alike for every function.
    """

    def __init__(
        self, interpreter: Sequence[str], handler: str, variables: Mapping[str, str], log: Path
    ) -> None:
        self.started = time.monotonic()
        self._api = RuntimeApi().__enter__()
        command = [*interpreter, "-P", str(_RUNTIME), handler]
        environment = {"PATH": os.defpath, **runtime_variables(self._api, handler), **variables}
        self._child = Child(command, environment, log)

    @property
    def alive(self) -> bool:
        """Tell whether it can be invoked again."""
        return self._child.exit_code is None

    def invoke(self, invocation: Invocation) -> Result:
        """Call the handler; kill the process unless it has answered."""
        result = self._api.invoke(invocation, lambda: self.alive)
        if result.kind not in ("response", "error"):
            self.kill()
        return result

    def kill(self) -> None:
        """End the process and what it has started, at once."""
        self._child.kill()
        self._api.__exit__()


def runtime_variables(api: RuntimeApi, handler: str) -> dict[str, str]:
    """Return the variables that Lambda sets alike for every function."""
    return {
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
        "_HANDLER": handler,
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
    }
