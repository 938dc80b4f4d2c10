"""Lambda's Runtime API (2018-06-01) for tests, and execution environments that run against it.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import contextlib
import json
import os
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self

SANDBOX = Path(__file__).parent / "lambda_sandbox"
ARN = "arn:aws:lambda:eu-west-1:000000000000:function:under-test"
_PREFIX = "/2018-06-01/runtime"
_POLL_SECONDS = 0.01


class InvocationTimeoutError(TimeoutError):
    """A handler has not answered in time; Lambda would now kill its environment."""


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
class _Invocation:
    event: object
    deadline: float
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    handed_over: float = 0.0


class RuntimeApi:
    """A server on a free port of 127.0.0.1; one execution environment at a time takes its events."""

    def __init__(self) -> None:
        self._events: queue.Queue[_Invocation] = queue.Queue()
        self._results: queue.Queue[Result] = queue.Queue()
        self._running: dict[str, _Invocation] = {}
        self.is_closing = False
        self.ready_at: float | None = None
        """When the first environment asked for its first event (`time.time()`): the end of its init phase."""
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": self}))

    @property
    def address(self) -> str:
        """The value of `AWS_LAMBDA_RUNTIME_API`."""
        return f"127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.is_closing = True
        self._server.shutdown()
        self._server.server_close()

    def invoke(
        self, event: object, timeout: float = 30.0, process: "subprocess.Popen[Any] | None" = None
    ) -> Result:
        """Hand an event to the runtime and wait for its answer, which an init error is, too."""
        invocation = _Invocation(event, time.time() + timeout)
        end = time.monotonic() + timeout
        self._events.put(invocation)
        while True:
            with contextlib.suppress(queue.Empty):
                return self._results.get(timeout=_POLL_SECONDS)
            if process is not None and process.poll() is not None and self._results.empty():
                raise EnvironmentExitedError(f"the runtime exited with {process.returncode}")
            if time.monotonic() > end:
                self._running.pop(invocation.request_id, None)
                raise InvocationTimeoutError(f"no answer in {timeout:g} s")

    def next(self) -> _Invocation | None:
        """Wait for an event, as long as the server runs."""
        self.ready_at = self.ready_at or time.time()
        while not self.is_closing:
            with contextlib.suppress(queue.Empty):
                invocation = self._events.get(timeout=_POLL_SECONDS)
                self._running[invocation.request_id] = invocation
                invocation.handed_over = time.monotonic()
                return invocation
        return None

    def post(self, path: str, payload: Any, error_type: str | None) -> None:  # noqa: ANN401 - any JSON
        """Take an answer; one that comes after its time is dropped."""
        if path == f"{_PREFIX}/init/error":
            self._results.put(Result("init_error", payload, error_type, 0.0))
            return
        *_, request_id, kind = path.split("/")
        if invocation := self._running.pop(request_id, None):
            self._results.put(Result(kind, payload, error_type, time.monotonic() - invocation.handed_over))


class _Handler(BaseHTTPRequestHandler):
    api: RuntimeApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise every answer waits 40 ms for an acknowledgement

    def log_message(self, *_: object) -> None:
        pass

    def do_GET(self) -> None:
        if self.path != f"{_PREFIX}/invocation/next":
            self._answer(404)
        elif invocation := self.api.next():
            headers = {
                "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
                "Lambda-Runtime-Deadline-Ms": str(int(invocation.deadline * 1000)),
                "Lambda-Runtime-Invoked-Function-Arn": ARN,
                "Lambda-Runtime-Trace-Id": "Root=1-00000000-000000000000000000000000;Sampled=0",
            }
            self._answer(200, json.dumps(invocation.event).encode(), headers)
        else:
            self.close_connection = True

    def do_POST(self) -> None:
        body = self._body()
        self.api.post(self.path, json.loads(body), self.headers.get("Lambda-Runtime-Function-Error-Type"))
        self._answer(202, b'{"status":"OK"}')

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def _answer(self, status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@dataclass(frozen=True, slots=True)
class ExecutionEnvironment:
    """A runtime in a process of its own, and the server that invokes it."""

    api: RuntimeApi
    process: "subprocess.Popen[str]"

    def invoke(self, event: object, timeout: float = 30.0) -> Result:
        """Invoke the handler; on a timeout kill it, as Lambda does."""
        try:
            return self.api.invoke(event, timeout, self.process)
        except InvocationTimeoutError:
            self.process.kill()
            raise

    def output(self) -> str:
        """End the runtime and return all that it printed."""
        self.process.kill()
        return self.process.communicate(timeout=10)[0]


@contextlib.contextmanager
def execution_environment(handler: str, variables: Mapping[str, str]) -> Iterator[ExecutionEnvironment]:
    """Run a handler under the real `awslambdaric`, in Lambda's environment and limits (see `lambda_sandbox`)."""
    with RuntimeApi() as api:
        process = subprocess.Popen(
            [sys.executable, "-m", "awslambdaric", handler],
            env={
                "PATH": os.defpath,
                "PYTHONPATH": str(SANDBOX),
                **function_variables(api, handler),
                **variables,
            },
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        try:
            yield ExecutionEnvironment(api, process)
        finally:
            process.kill()
            process.communicate(timeout=10)


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
        "AWS_SECRET_ACCESS_KEY": "testing",
        "_HANDLER": handler,
        "TZ": ":UTC",
        "LANG": "en_US.UTF-8",
    }
