"""HTTP servers of the local cloud: a client that goes away is not worth a traceback."""

import json
import sys
import threading
from collections.abc import Iterable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


class Listener(ThreadingHTTPServer):
    """Answers each client in a thread of its own, from `with` to its end; none keeps the process alive."""

    daemon_threads = True
    request_queue_size = 128

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Let a client go that has gone, or that does not trust our certificate; anything else is an error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # a socket


class Handler(BaseHTTPRequestHandler):
    """Answers over connections that are kept."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # otherwise an answer waits 40 ms

    def log_message(self, *_: object) -> None:
        """Leave logging to the emulator and the functions."""

    def body(self) -> bytes:
        """Read the request's body."""
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def reply(self, status: int, payload: object, headers: Mapping[str, str] | None = None) -> None:
        """Send JSON."""
        headers = {**(headers or {}), "Content-Type": "application/json"}
        self.send(status, headers.items(), json.dumps(payload).encode())

    def send(self, status: int, headers: Iterable[tuple[str, str]], body: bytes) -> None:
        """Send an answer with its length."""
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)
