"""An HTTP server of the local cloud: a client that goes away is not worth a traceback."""

import sys
from http.server import ThreadingHTTPServer


class Listener(ThreadingHTTPServer):
    """Answers each client in a thread of its own, which does not keep the process alive."""

    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Let a client go that has gone, or that does not trust our certificate; anything else is an error."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # a socket
