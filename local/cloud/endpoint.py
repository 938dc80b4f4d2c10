"""Where the emulator forwards a function's invocations to.

MiniStack cannot start a container image without Docker, but posts the invocations of a function that has
`MINISTACK_LAMBDA_PROXY_URL` in its environment to that URL. It takes every 2xx for success and deletes the
message, so every failure is answered otherwise.
"""

import json
from collections.abc import Callable
from typing import Final

from local.cloud.listener import Handler, Listener
from local.cloud.runtime_api import Invocation, Result

_STATUS: Final = {"response": 200, "error": 500, "exit": 500, "init_error": 502, "timeout": 504}


class InvocationEndpoint(Listener):
    """Hands invocations to a function; listens on a free port of 127.0.0.1 unless told otherwise."""

    def __init__(
        self, invoke: Callable[[Invocation], Result], host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self.invoke = invoke
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where to post to, on this machine."""
        return f"http://127.0.0.1:{self.server_port}/"


class _Handler(Handler):
    server: InvocationEndpoint

    def do_POST(self) -> None:  # noqa: N802 - the base class looks for this name
        invocation = Invocation(
            event=json.loads(self.body()),
            deadline=int(self.headers["X-Amzn-Lambda-Deadline-Ms"]) / 1000,
            function_arn=self.headers["X-Amzn-Lambda-Function-Arn"],
            request_id=self.headers["X-Amzn-Lambda-Request-Id"],
        )
        result = self.server.invoke(invocation)
        self.reply(_STATUS[result.kind], result.payload)
