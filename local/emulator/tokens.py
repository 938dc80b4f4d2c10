"""Verify tokens as API Gateway documents it, which MiniStack 1.5.33 does only in part (docs/decisions/0014).

PyJWT verifies; keys come by MiniStack's discovery, which keeps them for two hours as API Gateway does. The import of
this module lets every JWT authoriser verify like this.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-jwt-authorizer.html
"""

import json
from typing import Any

import jwt
from ministack.services import apigateway
from wrapping import wraps  # type: ignore[import-not-found]  # beside this module

_ALGORITHMS = ["RS256", "RS384", "RS512"]
"""API Gateway takes those based on RSA only."""
_OPTIONS: Any = {"require": ["exp", "iss"], "verify_aud": False}
"""The audience may be in `client_id` instead, which PyJWT does not know."""

Claims = dict[str, Any]
Refusal = tuple[int, dict[str, str], bytes]


@wraps(apigateway, "_validate_jwt_authorizer")
async def _validate(
    _original: object,
    _route: dict[str, Any],
    authorizer: dict[str, Any],
    headers: dict[str, str],
    query: dict[str, Any],
) -> tuple[Claims | None, list[str] | None, Refusal | None]:
    """Return what MiniStack expects: claims, the route's scopes (ours have none), and a refusal instead of them."""
    source = authorizer.get("identitySource", [])
    token = apigateway._extract_token_from_identity_source(source, headers, query)
    if not token:
        return None, None, _refusal("Bearer")
    try:
        return await _verified(token, authorizer), [], None
    except Exception as error:  # noqa: BLE001 - whatever is wrong with it, a token is refused
        described = str(error).replace("\\", "").replace('"', "'")
        challenge = f'Bearer scope="" error="invalid_token" error_description="{described}"'
        return None, None, _refusal(challenge)


async def _verified(token: str, authorizer: dict[str, Any]) -> Claims:
    configuration = authorizer["jwtConfiguration"]
    url = await apigateway._resolve_jwks_url(authorizer)
    keys = jwt.PyJWKSet.from_dict(await apigateway._fetch_jwks(url))
    key = keys[jwt.get_unverified_header(token)["kid"]]
    claims: Claims = jwt.decode(token, key, _ALGORITHMS, _OPTIONS, issuer=configuration["issuer"])
    audience = claims.get("aud", claims.get("client_id"))
    named = audience if isinstance(audience, list) else [audience]
    if not set(map(str, named)) & set(configuration["audience"]):
        raise jwt.InvalidAudienceError("the token does not have a valid audience")
    return claims


def _refusal(challenge: str) -> Refusal:
    headers = {"Content-Type": "application/json", "WWW-Authenticate": challenge}
    return 401, headers, json.dumps({"message": "Unauthorized"}).encode()
