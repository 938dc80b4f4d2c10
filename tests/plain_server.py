"""A PostgreSQL without TLS, as far as the first message."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SSL_REQUEST = (80877103).to_bytes(4, "big")


@contextmanager
def plain_server() -> Iterator[tuple[int, list[bytes]]]:
    """Provide its port, and what it is told after it has refused to encrypt."""
    told: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                while data := connection.recv(4096):
                    if data[4:] != _SSL_REQUEST:
                        told.append(data)
                        break
                    connection.sendall(b"N")

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], told
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()
