"""An issuer of tokens beside the local cloud: OpenID Connect discovery and keys, over https, on 127.0.0.1.

Its key lives as long as the run. Sources: OpenID Connect Discovery 1.0, section 4; RFC 7517 (keys); RFC 9068 (claims).
"""

import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from http.server import BaseHTTPRequestHandler
from typing import Any

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

from api.authorisation import ALL_CUSTOMERS_SCOPE
from local.cloud.listener import Listener

AUDIENCE = "logstats"
LIFETIME_HOURS = 12
"""Of a token that does not say otherwise."""
_ALGORITHM = "RS256"
_KEY_ID = "local-1"
_DISCOVERY = "/.well-known/openid-configuration"
_KEYS = "/.well-known/jwks.json"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Issues tokens that API Gateway can verify; `url` is their `iss`, and where the keys are found."""

    url: str
    key: rsa.RSAPrivateKey

    def for_every_customer(self) -> str:
        """Return a token that reads every customer."""
        return self.token(scope=ALL_CUSTOMERS_SCOPE)

    def for_customer(self, customer_id: str) -> str:
        """Return a token that reads one customer."""
        return self.token(customer_id=customer_id)

    def token(self, **claims: object) -> str:
        """Return a token; claims that are given replace its own, and those that are None are left out."""
        now = int(time.time())
        lifetime = {"iat": now, "exp": now + LIFETIME_HOURS * 3600}
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "local", **lifetime}
        kept = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(kept, self.key, _ALGORITHM, {"kid": _KEY_ID})

    def documents(self) -> dict[str, bytes]:
        """Return what it publishes, by path."""
        public: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        keys = {"keys": [{**public, "kid": _KEY_ID, "alg": _ALGORITHM, "use": "sig"}]}
        discovery = {
            "issuer": self.url,
            "jwks_uri": self.url + _KEYS,
            "id_token_signing_alg_values_supported": [_ALGORITHM],
        }
        return {_DISCOVERY: json.dumps(discovery).encode(), _KEYS: json.dumps(keys).encode()}


@contextmanager
def serving(authority: trustme.CA, port: int = 0) -> Iterator[Issuer]:
    """Run an issuer whose certificate an authority signs, on a port of 127.0.0.1: by default one that is free."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)
    documents: dict[str, bytes] = {}
    server = Listener(("127.0.0.1", port), partial(_Handler, documents))
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    issuer = Issuer(f"https://localhost:{server.server_port}", key)
    documents |= issuer.documents()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield issuer
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    timeout = 10.0

    def __init__(self, documents: dict[str, bytes], *arguments: Any) -> None:  # noqa: ANN401 - passed on
        self._documents = documents
        super().__init__(*arguments)

    def do_GET(self) -> None:
        """Answer with a document, or 404."""
        body = self._documents.get(self.path)
        self.send_response_only(404 if body is None else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, *_: object) -> None:
        """Say nothing: whoever asks has a log."""
