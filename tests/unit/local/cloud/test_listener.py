"""A client that goes away leaves no traceback; a mistake of ours does."""

import queue
import socket
import struct
import sys
from collections.abc import Iterator

import pytest

from local.cloud.listener import Handler, Listener


class _Handler(Handler):
    def do_GET(self) -> None:  # noqa: N802 - the base class looks for this name
        if self.path == "/mistake":
            raise ZeroDivisionError
        self.reply(200, None)


Errors = queue.SimpleQueue[type[BaseException] | None]


@pytest.fixture
def handled() -> Errors:
    """The kinds of errors that have ended a connection."""
    return queue.SimpleQueue()


@pytest.fixture
def port(handled: Errors) -> Iterator[int]:
    class Noting(Listener):
        def handle_error(self, request: object, client_address: object) -> None:
            super().handle_error(request, client_address)
            error = sys.exception()
            handled.put(type(error) if error else None)

    with Noting(("127.0.0.1", 0), _Handler) as server:
        yield server.server_port


def send(port: int, path: str) -> None:
    """Send a request, read the answer, and cut the connection instead of closing it."""
    client = socket.create_connection(("127.0.0.1", port), timeout=10)
    client.sendall(f"GET {path} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    client.recv(1000)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    client.close()


def test_a_client_that_has_gone_is_let_go(
    port: int, handled: Errors, capfd: pytest.CaptureFixture[str]
) -> None:
    send(port, "/")
    assert handled.get(timeout=10) is ConnectionResetError
    assert capfd.readouterr().err == ""


def test_a_mistake_is_told(port: int, handled: Errors, capfd: pytest.CaptureFixture[str]) -> None:
    send(port, "/mistake")
    assert handled.get(timeout=10) is ZeroDivisionError
    assert "ZeroDivisionError" in capfd.readouterr().err
