"""Lambda's Runtime API (version 2018-06-01): it hands events to an execution environment and takes its answers.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. Lambda's own runtime interface client (`awslambdaric`)
speaks this protocol, in the processor's image as in a process: so both run unmodified, without Lambda.
"""

import contextlib
import json
import queue
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from local.cloud.listener import Handler, Listener

FUNCTION_ARN = "arn:aws:lambda:us-east-1:000000000000:function:local"
_RUNTIME = "/2018-06-01/runtime"
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Result:
    """The end of an invocation.

    Attributes
    ----------
    kind
        ``response``, ``error`` or ``init_error``, as the runtime posted it; or ``timeout`` (no answer until the
        deadline) or ``exit`` (the runtime has ended without one).
    payload
        The response, or the error in Lambda's form.
    error_type
        The error's type, if it is one.
    """

    kind: str
    payload: Any
    error_type: str | None = None

    @classmethod
    def failed(cls, kind: str, error_type: str, message: str) -> "Result":
        """Return an error in Lambda's form."""
        return cls(kind, {"errorType": error_type, "errorMessage": message}, error_type)


@dataclass(slots=True)
class Invocation:
    """An event on its way. `deadline` is a Unix time, `trace` X-Ray's header."""

    event: object
    deadline: float
    function_arn: str = FUNCTION_ARN
    trace: str = "Root=1-00000000-000000000000000000000000;Sampled=0"
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    answers: "queue.SimpleQueue[Result]" = field(default_factory=queue.SimpleQueue, init=False)


class RuntimeApi(Listener):
    """The server, by default on a free port of 127.0.0.1; an execution environment takes one event after the other."""

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._events: queue.SimpleQueue[Invocation] = queue.SimpleQueue()
        self._running: Invocation | None = None
        self._init_error: Result | None = None
        self._lock = threading.Lock()
        self._is_closing = False
        super().__init__((host, port), RuntimeHandler)

    @property
    def address(self) -> str:
        """The value of `AWS_LAMBDA_RUNTIME_API`."""
        return f"127.0.0.1:{self.server_port}"

    def __exit__(self, *_: object) -> None:
        self._is_closing = True
        super().__exit__()

    def invoke(self, invocation: Invocation, is_alive: Callable[[], bool] = lambda: True) -> Result:
        """Hand an event to the runtime and wait for its answer, until the deadline or as long as `is_alive`."""
        with self._lock:
            if self._init_error:
                result, self._init_error = self._init_error, None
                return result
            self._events.put(invocation)
        while time.time() < invocation.deadline:
            alive = is_alive()
            with contextlib.suppress(queue.Empty):
                return invocation.answers.get(timeout=_POLL_SECONDS)
            if not alive:
                return Result.failed("exit", "Runtime.ExitError", "the runtime has exited without an answer")
        return Result.failed("timeout", "Sandbox.Timedout", "Task timed out")

    def next(self, is_connected: Callable[[], bool]) -> Invocation | None:
        """Wait for an event, as long as the server runs and the environment waits for the answer."""
        if lost := self._running:  # its environment would have answered before it asks again
            lost.answers.put(Result.failed("exit", "Runtime.ExitError", "the runtime was replaced"))
        while not self._is_closing and is_connected():
            with contextlib.suppress(queue.Empty):
                invocation = self._events.get(timeout=_POLL_SECONDS)
                if time.time() < invocation.deadline:
                    self._running = invocation
                    return invocation
        return None

    def answer(self, request_id: str, kind: str, payload: object, error_type: str | None) -> None:
        """Take the answer to the event that was handed over last; another is too late, and dropped."""
        if (invocation := self._running) and invocation.request_id == request_id:
            self._running = None
            invocation.answers.put(Result(kind, payload, error_type))

    def fail_init(self, payload: object, error_type: str | None) -> None:
        """Take an init error, which answers all that wait, or else the next invocation."""
        result = Result("init_error", payload, error_type)
        with self._lock:
            if self._events.empty():
                self._init_error = result
            with contextlib.suppress(queue.Empty):
                while True:
                    self._events.get_nowait().answers.put(result)


class RuntimeHandler(Handler):
    """The API's three calls."""

    server: RuntimeApi

    def do_GET(self) -> None:  # noqa: N802 - the base class looks for this name
        """Hand over the next event."""
        if self.path != f"{_RUNTIME}/invocation/next":
            self.reply(404, {"errorType": "NotFound"})
        elif invocation := self.server.next(self._is_connected):
            headers = {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
                "Lambda-Runtime-Trace-Id": invocation.trace,
            }
            self.reply(200, invocation.event, headers)
        else:
            self.close_connection = True

    def _is_connected(self) -> bool:
        """Tell whether the other side is still there: a killed environment must not get the next event."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return not readable or self.connection.recv(1, socket.MSG_PEEK) != b""

    def do_POST(self) -> None:  # noqa: N802 - the base class looks for this name
        """Take an answer or an error."""
        payload, error_type = json.loads(self.body()), self.headers.get("Lambda-Runtime-Function-Error-Type")
        if self.path == f"{_RUNTIME}/init/error":
            self.server.fail_init(payload, error_type)
        else:
            *_, request_id, kind = self.path.split("/")
            self.server.answer(request_id, kind, payload, error_type)
        self.reply(202, {"status": "OK"})
