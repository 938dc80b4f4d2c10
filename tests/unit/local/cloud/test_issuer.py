"""The local issuer: what OpenID Connect asks of one, over https, trusted by its own authority only."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest

from local.cloud import certificates
from local.cloud.certificates import Certificates
from local.cloud.issuer import AUDIENCE, Issuer, serving


@pytest.fixture
def issued(tmp_path: Path) -> Certificates:
    return certificates.issue(tmp_path)


@pytest.fixture
def issuer(issued: Certificates) -> Iterator[Issuer]:
    with serving(issued.authority) as started:
        yield started


def document(url: str, trusted: ssl.SSLContext) -> Any:  # noqa: ANN401 - JSON
    return httpx.get(url, verify=trusted, trust_env=False).raise_for_status().json()


def test_its_tokens_are_verified_by_what_it_publishes(issuer: Issuer, issued: Certificates) -> None:
    trusted = ssl.create_default_context(cafile=issued.bundle)
    discovered = document(f"{issuer.url}/.well-known/openid-configuration", trusted)
    assert discovered["issuer"] == issuer.url
    token = issuer.token(customer_id="cust_1")
    key = jwt.PyJWKClient(discovered["jwks_uri"], ssl_context=trusted).get_signing_key_from_jwt(token)
    claims = jwt.decode(token, key, ["RS256"], audience=AUDIENCE, issuer=issuer.url)
    assert claims["customer_id"] == "cust_1"
    assert "scope" not in claims
    (published,) = document(discovered["jwks_uri"], trusted)["keys"]
    assert set(published) <= {"kty", "n", "e", "kid", "alg", "use", "key_ops"}, "no private number"


def test_others_do_not_trust_it(
    issuer: Issuer, issued: Certificates, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        document(f"{issuer.url}/.well-known/jwks.json", ssl.create_default_context())
    trusted = ssl.create_default_context(cafile=issued.bundle)
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        document(f"{issuer.url}/token", trusted)
    assert capfd.readouterr().err == ""
