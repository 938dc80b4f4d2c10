"""Lambda's Runtime API (version 2018-06-01): it hands events to a function's container and takes its answers.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html. A container image speaks this protocol as it is;
so the processor's runs unmodified, without Lambda.
"""

import contextlib
import json
import queue
import select
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

FUNCTION_ARN = "arn:aws:lambda:us-east-1:000000000000:function:local"
_RUNTIME = "/2018-06-01/runtime"
_POLL_SECONDS = 0.01


class InvocationTimeoutError(TimeoutError):
    """The handler has not answered in time."""


class EnvironmentExitedError(Exception):
    """The runtime has exited without an answer."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a runtime posted, and how long after it took the event.

    `kind` is ``response``, ``error`` or ``init_error``.
    """

    kind: str
    payload: Any
    error_type: str | None
    seconds: float


@dataclass(slots=True)
class Invocation:
    """An event on its way. `deadline` is a Unix time, `trace` X-Ray's header."""

    event: object
    deadline: float
    function_arn: str = FUNCTION_ARN
    trace: str = "Root=1-00000000-000000000000000000000000;Sampled=0"
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    handed_over: float = field(default=0.0, init=False)
    answers: "queue.SimpleQueue[Result]" = field(default_factory=queue.SimpleQueue, init=False)


class RuntimeApi:
    """The server. One execution environment at a time takes its events, one after the other.

    Parameters
    ----------
    host, port
        Where it listens; by default a free port of 127.0.0.1.
    """

    def __init__(self, host: str = "127.0.0.1", port: int = 0) -> None:
        self._events: queue.SimpleQueue[Invocation] = queue.SimpleQueue()
        self._unanswered: dict[str, Invocation] = {}
        self._running: Invocation | None = None
        self._init_error: Result | None = None
        self._lock = threading.Lock()
        self._is_closing = False
        self.ready_at: float | None = None
        """When an environment first asked for an event (a Unix time): the end of its init phase."""
        handler = type("Handler", (self.request_handler,), {"api": self})
        self._server = ThreadingHTTPServer((host, port), handler)
        self._server.daemon_threads = True

    @property
    def request_handler(self) -> "type[RuntimeHandler]":
        """What answers requests."""
        return RuntimeHandler

    @property
    def address(self) -> str:
        """The value of `AWS_LAMBDA_RUNTIME_API`."""
        return f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_closing = True
        self._server.shutdown()
        self._server.server_close()

    def serve(self) -> None:
        """Answer requests until it is closed."""
        self._server.serve_forever(poll_interval=0.05)

    def invoke(self, invocation: Invocation, is_alive: Callable[[], bool] = lambda: True) -> Result:
        """Hand an event to the runtime and wait for its answer.

        Raises
        ------
        InvocationTimeoutError
            If there is none until the deadline.
        EnvironmentExitedError
            If `is_alive` says so.
        """
        with self._lock:
            if self._init_error:
                result, self._init_error = self._init_error, None
                return result
            self._unanswered[invocation.request_id] = invocation
        self._events.put(invocation)
        try:
            while time.time() < invocation.deadline:
                alive = is_alive()
                with contextlib.suppress(queue.Empty):
                    return invocation.answers.get(timeout=_POLL_SECONDS)
                if not alive:
                    raise EnvironmentExitedError("the runtime has exited")
        finally:
            self._unanswered.pop(invocation.request_id, None)
        raise InvocationTimeoutError("the function has timed out")

    def next(self, is_connected: Callable[[], bool]) -> Invocation | None:
        """Wait for an event, as long as the server runs and the environment waits for the answer."""
        self.ready_at = self.ready_at or time.time()
        if lost := self._running:  # its environment would have answered before it asks again
            lost.answers.put(Result("error", {}, "Runtime.ExitError", time.monotonic() - lost.handed_over))
        while not self._is_closing and is_connected():
            with contextlib.suppress(queue.Empty):
                invocation = self._events.get(timeout=_POLL_SECONDS)
                if invocation.request_id in self._unanswered:
                    self._running, invocation.handed_over = invocation, time.monotonic()
                    return invocation
        return None

    def answer(self, request_id: str, kind: str, payload: object, error_type: str | None) -> None:
        """Take an answer; one that comes after its time is dropped."""
        if (invocation := self._running) and invocation.request_id == request_id:
            self._running = None
            seconds = time.monotonic() - invocation.handed_over
            invocation.answers.put(Result(kind, payload, error_type, seconds))

    def fail_init(self, payload: object, error_type: str | None) -> None:
        """Take an init error, which answers all that wait, or else the next invocation."""
        result = Result("init_error", payload, error_type, 0.0)
        with self._lock:
            waiting = list(self._unanswered.values())
            if not waiting:
                self._init_error = result
        for invocation in waiting:
            invocation.answers.put(result)


class RuntimeHandler(BaseHTTPRequestHandler):
    """The API's three calls."""

    api: RuntimeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise an answer waits 40 ms

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        """Hand over the next event."""
        if self.path != f"{_RUNTIME}/invocation/next":
            self.reply(404, {"errorType": "NotFound"})
        elif invocation := self.api.next(self._is_connected):
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
        """Whether the other side has not hung up: a killed environment must not get the next event."""
        readable, _, _ = select.select([self.connection], [], [], 0)
        return not readable or self.connection.recv(1, socket.MSG_PEEK) != b""

    def do_POST(self) -> None:
        """Take an answer or an error."""
        payload, error_type = json.loads(self.body()), self.headers.get("Lambda-Runtime-Function-Error-Type")
        if self.path == f"{_RUNTIME}/init/error":
            self.api.fail_init(payload, error_type)
        else:
            *_, request_id, kind = self.path.split("/")
            self.api.answer(request_id, kind, payload, error_type)
        self.reply(202, {"status": "OK"})

    def body(self) -> bytes:
        """Read the request's body, which may come in chunks."""
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def reply(self, status: int, payload: object, headers: Mapping[str, str] | None = None) -> None:
        """Send JSON."""
        body = json.dumps(payload).encode()
        self.send_response_only(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
