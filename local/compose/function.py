"""The service `function`: between the emulator and the processor's container.

``python -m local.compose.function PORT``. The emulator posts invocations to `INVOCATIONS`, as it would to a
Lambda function; the processor's image asks for them through the Runtime API, as on Lambda. The emulator takes every
2xx for success and deletes the message, so every failure is answered otherwise.
"""

import json
import sys
import time

from local.compose.runtime_api import (
    FUNCTION_ARN,
    Invocation,
    InvocationTimeoutError,
    RuntimeApi,
    RuntimeHandler,
)

INVOCATIONS = "/2015-03-31/functions/function/invocations"
_TIMEOUT_SECONDS = 300.0
_STATUS = {"response": 200, "error": 500, "init_error": 502}


class FunctionHandler(RuntimeHandler):
    """The Runtime API, and invocations from outside."""

    def do_POST(self) -> None:  # noqa: N802 - the base class looks for this name
        """Run an invocation, or take the answer to one."""
        if self.path != INVOCATIONS:
            super().do_POST()
            return
        deadline = self.headers.get("X-Amzn-Lambda-Deadline-Ms")
        invocation = Invocation(
            json.loads(self.body()),
            int(deadline) / 1000 if deadline else time.time() + _TIMEOUT_SECONDS,
            self.headers.get("X-Amzn-Lambda-Function-Arn", FUNCTION_ARN),
        )
        try:
            result = self.api.invoke(invocation)
        except InvocationTimeoutError as error:
            self.reply(504, {"errorType": "Sandbox.Timedout", "errorMessage": str(error)})
        else:
            self.reply(_STATUS[result.kind], result.payload)


class Function(RuntimeApi):
    """The server."""

    @property
    def request_handler(self) -> type[RuntimeHandler]:
        """What answers requests."""
        return FunctionHandler


def main() -> None:
    """Serve until the container stops."""
    Function("0.0.0.0", int(sys.argv[1])).serve()  # nosec B104 # noqa: S104 - in a container; its network decides who calls


if __name__ == "__main__":
    main()
