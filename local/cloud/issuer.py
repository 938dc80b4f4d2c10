"""An issuer of tokens beside the local cloud: OpenID Connect discovery and keys, over https, on 127.0.0.1.

Its key lives as long as the run. Sources: OpenID Connect Discovery 1.0, section 4; RFC 7517 (keys); RFC 9068 (claims).
"""

import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import rsa

from local.cloud.listener import Handler, Listener

AUDIENCE = "logstats"
LIFETIME_HOURS = 12
"""Of a token that does not say otherwise."""
_ALGORITHM = "RS256"
_KEY_ID = "local-1"


@dataclass(frozen=True, slots=True)
class Issuer:
    """Issues tokens that API Gateway can verify; `url` is their `iss`, and where the keys are found."""

    url: str
    key: rsa.RSAPrivateKey

    def token(self, **claims: object) -> str:
        """Return a token; claims that are given replace its own, and those that are None are left out."""
        now = int(time.time())
        lifetime = {"iat": now, "exp": now + LIFETIME_HOURS * 3600}
        usual = {"iss": self.url, "aud": AUDIENCE, "sub": "local", **lifetime}
        kept = {name: value for name, value in {**usual, **claims}.items() if value is not None}
        return jwt.encode(kept, self.key, _ALGORITHM, {"kid": _KEY_ID})

    def documents(self) -> dict[str, Any]:
        """Return what it publishes, by path."""
        public: dict[str, Any] = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        keys = "/.well-known/jwks.json"
        discovery = {
            "issuer": self.url,
            "jwks_uri": self.url + keys,
            "id_token_signing_alg_values_supported": [_ALGORITHM],
        }
        return {
            "/.well-known/openid-configuration": discovery,
            keys: {"keys": [{**public, "kid": _KEY_ID, "alg": _ALGORITHM, "use": "sig"}]},
        }


@contextmanager
def serving(authority: trustme.CA) -> Iterator[Issuer]:
    """Run an issuer whose certificate an authority signs, on a free port of 127.0.0.1."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost", "127.0.0.1").configure_cert(context)

    class Documents(Handler):
        timeout = 10.0

        def do_GET(self) -> None:  # noqa: N802 - the base class looks for this name
            document = issuer.documents().get(self.path)
            self.reply(200 if document else 404, document)

    server = Listener(("127.0.0.1", 0), Documents)
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    issuer = Issuer(f"https://localhost:{server.server_port}", key)
    with server:
        yield issuer
