"""Serve the deployed API on a port of its own, by passing every request on to the emulated API Gateway."""

import ssl
import time
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from local.cloud import access_log
from local.cloud.listener import Handler, Listener

_NOT_PASSED_ON = {
    *("connection", "keep-alive", "proxy-authenticate", "proxy-authorization", "te", "trailer"),
    *("transfer-encoding", "upgrade", "host", "content-length"),
}
"""Headers of one hop (RFC 9110, section 7.6.1), and those that are written anew."""
_TIMEOUT_SECONDS = 35.0


class Gateway(Listener):
    """Passes requests on to an API.

    Attributes
    ----------
    log
        A file that gets a line for each request, as API Gateway's access log does; None writes none.

    Parameters
    ----------
    api_url
        The API's own URL. It has a name of its own under ``localhost``, which not every resolver knows.
    tls
        What is needed to trust it, when the API's URL is https.

    Raises
    ------
    OSError
        If the port is taken.
    """

    def __init__(
        self,
        api_url: str,
        port: int,
        host: str = "127.0.0.1",
        emulator_host: str = "127.0.0.1",
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self.api, self.emulator_host, self.tls = urlsplit(api_url), emulator_host, tls
        self.log: Path | None = None
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Where to send requests to."""
        return f"http://localhost:{self.server_port}"

    def connect(self) -> HTTPConnection:
        """Return a connection to the emulator."""
        address = self.emulator_host, self.api.port
        if self.tls:
            return HTTPSConnection(*address, timeout=_TIMEOUT_SECONDS, context=self.tls)
        return HTTPConnection(*address, timeout=_TIMEOUT_SECONDS)


class _Handler(Handler):
    server: Gateway

    def _pass_on(self) -> None:
        body, connection, started = self.body(), self.server.connect(), time.monotonic()
        for name in _NOT_PASSED_ON:
            del self.headers[name]
        self.headers["Host"], self.headers["Content-Length"] = self.server.api.netloc, str(len(body))
        try:
            connection.request(self.command, self.path, body, self.headers)  # type: ignore[arg-type]  # headers may repeat
            response = connection.getresponse()
            headers = response.getheaders()
            passed_on = [(name, value) for name, value in headers if name.lower() not in _NOT_PASSED_ON]
            content = response.read()
            self._log(response.status, time.monotonic() - started)
            self.send(response.status, passed_on, content)
        except (OSError, HTTPException) as error:
            self.send(502, [("Content-Type", "text/plain")], f"The emulator fails: {error}\n".encode())
        finally:
            connection.close()

    def _log(self, status: int, seconds: float) -> None:
        if self.server.log:
            client = str(self.client_address[0])
            with self.server.log.open("a", encoding="utf-8") as file:
                file.write(access_log.line(self.command, self.path, client, status, seconds))

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - as attributes are
        """Handle every method, known or not: `do_GET`, `do_PURGE`."""
        if name.startswith("do_"):
            return self._pass_on
        raise AttributeError(name)
