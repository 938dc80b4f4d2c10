"""A database that resumes, as a paused Aurora does: it takes connections, and is silent for a while."""

import selectors
import socket
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

from logstats.settings import DatabaseSettings


@contextmanager
def resuming(database: DatabaseSettings, seconds: float) -> Iterator[str]:
    """Provide the URL of a database, reached over TCP, that is silent for so many seconds from the first connection on."""
    name = urlsplit(database.url).path.removeprefix("/")
    resumed, over, first = threading.Event(), threading.Event(), threading.Lock()
    timer = threading.Timer(seconds, resumed.set)

    class Connection(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            if first.acquire(blocking=False):
                timer.start()
            while not resumed.wait(0.02):
                if over.is_set():
                    return
            with socket.socket(socket.AF_UNIX) as upstream, suppress(OSError):
                upstream.connect(f"{database.address.host}/.s.PGSQL.{database.address.port or 5432}")
                _pass_on(self.request, upstream, over)

    class Server(socketserver.ThreadingTCPServer):
        daemon_threads = True

    with Server(("127.0.0.1", 0), Connection) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"postgresql://postgres@127.0.0.1:{server.server_address[1]}/{name}"
        finally:
            over.set()
            timer.cancel()
            server.shutdown()
            thread.join()


def _pass_on(one: socket.socket, other: socket.socket, over: threading.Event) -> None:
    """Pass on what either says to the other, until one of them ends the connection."""
    to = {one: other, other: one}
    with selectors.DefaultSelector() as selector:
        for each in to:
            selector.register(each, selectors.EVENT_READ)
        while not over.is_set():
            for key, _ in selector.select(0.1):
                source = next(each for each in to if each is key.fileobj)
                data = source.recv(65_536)
                if not data:
                    return
                to[source].sendall(data)
