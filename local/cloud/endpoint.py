"""Where the emulator forwards a function's invocations to.

MiniStack cannot start a container image without Docker, but posts the invocations of a function that has
`MINISTACK_LAMBDA_PROXY_URL` in its environment to that URL. It takes every 2xx for success and deletes the
message, so every failure is answered otherwise.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler

from local.cloud.execution import FunctionError, InitError, Invocation, TimedOutError
from local.cloud.function import Function
from local.cloud.listener import Listener


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

    server = Listener(("127.0.0.1", 0), Handler)
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
