"""GET / and GET /static/{version}/{name}: the page and its files, which hold no data."""

from fastapi import APIRouter, HTTPException, Request
from fastapi.responses import Response

from api.answers.negotiation import accepts_gzip, matches
from api.assets import Asset, assets
from api.requests.authorisation import Rule, ruled
from api.settings import Auth

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
    "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",  # an address holds a customer's name
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Vary": "Accept-Encoding",
}
_REVALIDATE = "no-cache"
_KEEP = "public, max-age=31536000, immutable"


def router(auth: Auth) -> APIRouter:
    """Return the routes, which are open."""
    routes = APIRouter(route_class=ruled(Rule.OPEN, auth), include_in_schema=False)

    @routes.get("/")
    async def page(request: Request) -> Response:
        return _send(request, assets().index, _REVALIDATE)

    @routes.get("/static/{version}/{name}")
    async def static_file(request: Request, version: str, name: str) -> Response:
        ours = assets()
        asset = ours.files.get(name)
        if asset is None:
            raise HTTPException(404)
        # While a new version is being deployed, a document of the other one may ask for its files.
        return _send(request, asset, _KEEP if version == ours.version else _REVALIDATE)

    return routes


def _send(request: Request, asset: Asset, cache_control: str) -> Response:
    compressed = accepts_gzip(request.headers.get("Accept-Encoding", ""))
    etag = f'"{assets().version}{"-gzip" if compressed else ""}"'
    headers = {**HEADERS, "Cache-Control": cache_control, "ETag": etag}
    if matches(request.headers.get("If-None-Match"), etag):
        return Response(status_code=304, headers=headers)
    if compressed:
        headers["Content-Encoding"] = "gzip"
    body = asset.compressed if compressed else asset.body
    return Response(body, headers=headers, media_type=asset.media_type)
