"""Verify tokens as API Gateway documents it, and MiniStack 1.5.33 does only in part.

MiniStack looks at no algorithm and takes RS256 for granted, lets a token without `exp` live for ever, fails with 500 on
malformed claims, and does not say what is wrong. PyJWT verifies here instead; keys come by MiniStack's discovery, which
keeps them for two hours as API Gateway does.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-troubleshooting-jwt.html
"""

import json
from typing import Any

import jwt
from ministack.services import apigateway

_ALGORITHMS = ["RS256", "RS384", "RS512"]
"""API Gateway takes those based on RSA only."""
_OPTIONS: Any = {"require": ["exp", "iss"], "verify_aud": False}
"""The audience may be in `client_id` instead, which PyJWT does not know."""

Claims = dict[str, Any]
Refusal = tuple[int, dict[str, str], bytes]


def verify_as_api_gateway_does() -> None:
    """Let every JWT authoriser verify like this from now on."""
    apigateway._validate_jwt_authorizer = _validate  # noqa: SLF001 - no public name


async def _validate(
    route: dict[str, Any], authorizer: dict[str, Any], headers: dict[str, str], query: dict[str, Any]
) -> tuple[Claims | None, list[str] | None, Refusal | None]:
    """Return what MiniStack expects: claims, scopes, and a refusal instead of them."""
    source = authorizer.get("identitySource", [])
    token = apigateway._extract_token_from_identity_source(source, headers, query)  # noqa: SLF001
    if not token:
        return None, None, _refusal(401, "Unauthorized", "Bearer")
    try:
        claims = await _verified(token, authorizer)
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, a token is refused
        return None, None, _refusal(401, "Unauthorized", _challenge("invalid_token", str(error)))
    wanted = set(route.get("authorizationScopes") or [])
    scopes = sorted(wanted & set(_words(claims.get("scope")) + _words(claims.get("scp"))))
    if wanted and not scopes:
        return (
            None,
            None,
            _refusal(403, "Forbidden", _challenge("insufficient_scope", "no scope of the route")),
        )
    # Without scopes of its own, a route's event has none; they are in the claims.
    return claims, scopes, None


async def _verified(token: str, authorizer: dict[str, Any]) -> Claims:
    configuration = authorizer["jwtConfiguration"]
    header = jwt.get_unverified_header(token)
    url = await apigateway._resolve_jwks_url(authorizer)  # noqa: SLF001
    keys = jwt.PyJWKSet.from_dict(await apigateway._fetch_jwks(url))  # noqa: SLF001
    if header.get("kid") not in {key.key_id for key in keys.keys}:
        raise jwt.InvalidKeyError("the issuer has no such key")
    key = keys[header["kid"]]
    claims: Claims = jwt.decode(token, key, _ALGORITHMS, _OPTIONS, issuer=configuration["issuer"])
    audience = claims.get("aud", claims.get("client_id"))
    named = audience if isinstance(audience, list) else [audience]
    if not set(map(str, named)) & set(configuration["audience"]):
        raise jwt.InvalidAudienceError("the token does not have a valid audience")
    return claims


def _words(claim: object) -> list[str]:
    return [str(word) for word in claim] if isinstance(claim, list) else str(claim or "").split()


def _challenge(error: str, description: str) -> str:
    described = description.replace("\\", "").replace('"', "'")
    return f'Bearer scope="" error="{error}" error_description="{described}"'


def _refusal(status: int, message: str, challenge: str) -> Refusal:
    headers = {"Content-Type": "application/json", "WWW-Authenticate": challenge}
    return status, headers, json.dumps({"message": message}).encode()
