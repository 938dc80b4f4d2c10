"""Serve the deployed API on a port of its own, by passing every request on to the emulated API Gateway."""

import http.client
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from local.cloud.listener import Handler, Listener

_NOT_PASSED_ON = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
    *("transfer-encoding", "upgrade", "host", "content-length"),
}
"""Headers of one hop (RFC 9110, section 7.6.1), and those that are written anew."""
_TIMEOUT_SECONDS = 35.0


class _Handler(Handler):
    host: str
    connect: Callable[[], http.client.HTTPConnection]

    def _pass_on(self) -> None:
        body = self.body()
        connection = self.connect()
        try:
            connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            connection.putheader("Host", self.host)
            connection.putheader("Content-Length", str(len(body)))
            for name, value in self.headers.items():
                if name.lower() not in _NOT_PASSED_ON:
                    connection.putheader(name, value)
            connection.endheaders(body)
            response = connection.getresponse()
            self._answer(response.status, response.getheaders(), response.read())
        except (OSError, http.client.HTTPException) as error:
            self._answer(502, [("Content-Type", "text/plain")], f"The emulator fails: {error}\n".encode())
        finally:
            connection.close()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as attributes are
        """Handle every method, known or not: `do_GET`, `do_PURGE`."""
        if name.startswith("do_"):
            return self._pass_on
        raise AttributeError(name)

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        for name, value in headers:
            if name.lower() not in _NOT_PASSED_ON:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


@contextmanager
def serving(
    api_url: str,
    port: int,
    host: str = "127.0.0.1",
    emulator_host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
) -> Iterator[str]:
    """Pass requests on to an API; provide the URL to send them to.

    Parameters
    ----------
    api_url
        The API's own URL. It has a name of its own under ``localhost``, which not every resolver knows.
    port
        The port of `host` to listen on.
    emulator_host
        Where the emulator is.
    tls
        What is needed to trust it, when the API's URL is https.

    Raises
    ------
    OSError
        If the port is taken.
    """
    address = urlsplit(api_url)

    def connect_to_emulator() -> http.client.HTTPConnection:
        if tls:
            return http.client.HTTPSConnection(
                emulator_host, address.port, timeout=_TIMEOUT_SECONDS, context=tls
            )
        return http.client.HTTPConnection(emulator_host, address.port, timeout=_TIMEOUT_SECONDS)

    class PassOn(_Handler):
        host = address.netloc
        connect = staticmethod(connect_to_emulator)

    with Listener((host, port), PassOn) as server:
        yield f"http://localhost:{server.server_port}"
