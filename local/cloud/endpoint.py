"""Where the emulator forwards a function's invocations to.

MiniStack cannot start a container image without Docker, but posts the invocations of a function that has
`MINISTACK_LAMBDA_PROXY_URL` in its environment to that URL. It takes every 2xx for success and deletes the
message, so every failure is answered otherwise.
"""

import json
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from local.cloud.execution import (
    ExecutionEnvironment,
    FunctionError,
    InitError,
    Invocation,
    TimedOutError,
)

_MAX_AGE_SECONDS = 1800.0
"""Younger than the credentials of an execution environment, which live for an hour."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An invocation that has failed, and what it was about."""

    event: object
    error: FunctionError


@dataclass
class Function:
    """A function's execution environments: started when an invocation finds none free, then kept warm.

    Attributes
    ----------
    start
        Starts one for the function of an ARN.
    failures
        The last invocations that have failed.
    """

    start: Callable[[str], ExecutionEnvironment]
    failures: deque[Failure] = field(default_factory=lambda: deque(maxlen=100))
    _idle: list[ExecutionEnvironment] = field(default_factory=list)
    _busy: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _all: dict[int, ExecutionEnvironment] = field(default_factory=dict)
    _closed: bool = False

    def invoke(self, invocation: Invocation) -> object:
        """Run an invocation.

        Raises
        ------
        FunctionError
            If it fails; it is also remembered.
        """
        try:
            environment = self._lease(invocation.function_arn)
            try:
                return environment.invoke(invocation)
            finally:
                self._release(environment)
        except FunctionError as error:
            self.failures.append(Failure(invocation.event, error))
            raise

    def close(self) -> None:
        """Kill all execution environments, and start no more."""
        with self._lock:
            self._closed = True
            environments, self._all = list(self._all.values()), {}
        for environment in environments:
            environment.kill()

    def _lease(self, function_arn: str) -> ExecutionEnvironment:
        with self._lock:
            while self._idle:
                environment = self._idle.pop()
                if environment.alive and time.monotonic() - environment.started < _MAX_AGE_SECONDS:
                    return environment
                self._discard(environment)
        environment = self.start(function_arn)
        with self._lock:
            if self._closed:
                environment.kill()
                raise InitError("Runtime.ExitError", "the local cloud is stopping")
            self._all[id(environment)] = environment
        return environment

    def _release(self, environment: ExecutionEnvironment) -> None:
        with self._lock:
            if environment.alive and not self._closed:
                self._idle.append(environment)
            else:
                self._discard(environment)

    def _discard(self, environment: ExecutionEnvironment) -> None:
        self._all.pop(id(environment), None)
        environment.kill()


@contextmanager
def serving(function: Function) -> Iterator[str]:
    """Serve a function on a free port of 127.0.0.1; provide the URL."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True  # otherwise an answer waits 40 ms

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status, answer = _answer(function, _invocation(self, body))
            data = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Leave logging to the emulator."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        function.close()
        server.shutdown()
        server.server_close()


def _invocation(request: BaseHTTPRequestHandler, body: bytes) -> Invocation:
    headers = request.headers
    return Invocation(
        event=json.loads(body),
        request_id=headers["X-Amzn-Lambda-Request-Id"],
        function_arn=headers["X-Amzn-Lambda-Function-Arn"],
        deadline=int(headers["X-Amzn-Lambda-Deadline-Ms"]) / 1000,
    )


def _answer(function: Function, invocation: Invocation) -> tuple[int, object]:
    try:
        return 200, function.invoke(invocation)
    except FunctionError as error:
        status = 504 if isinstance(error, TimedOutError) else 502 if isinstance(error, InitError) else 500
        return status, {"errorType": error.kind, "errorMessage": error.message}
