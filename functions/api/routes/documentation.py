"""GET /docs and GET /openapi.json, also behind a gateway's stage path."""

from collections.abc import Iterator
from html import escape
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import HTMLResponse, JSONResponse

from api.assets import assets
from api.requests.authorisation import Rule, ruled
from api.routes.page import HEADERS
from api.settings import Auth


def router(app: FastAPI, auth: Auth) -> APIRouter:
    """Return the routes, which describe an app."""
    routes = APIRouter(route_class=ruled(Rule.ALL_CUSTOMERS, auth), include_in_schema=False)

    @routes.get("/openapi.json")
    async def openapi() -> JSONResponse:
        """Describe the API; its server is relative to the document (OpenAPI 3.1, "Server Object")."""
        return JSONResponse(app.openapi())

    @routes.get("/docs")
    async def docs() -> HTMLResponse:
        """Show it without a script; the links are relative, so that they hold behind any path."""
        return HTMLResponse("\n".join(_page(app.openapi())), headers=HEADERS)

    return routes


def _page(document: dict[str, Any]) -> Iterator[str]:
    title = escape(f"{document['info']['title']}: documentation")
    yield f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
    yield '<meta name="viewport" content="width=device-width">'
    yield f'<link rel="stylesheet" href="static/{assets().version}/page.css"></head><body><main><h1>{title}</h1>'
    yield f"<p>{escape(document['info']['description'])}</p>"
    yield '<p>For tools: <a href="openapi.json">openapi.json</a> (OpenAPI).</p>'
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            yield f"<h2>{method.upper()} {escape(path)}</h2><p>{escape(operation['description'])}</p>"
            yield from _table(
                "Parameter", ((each["name"], each["description"]) for each in operation.get("parameters", ()))
            )
            yield from _table(
                "Status", ((status, each["description"]) for status, each in operation["responses"].items())
            )
    for name, schema in document["components"]["schemas"].items():
        fields = schema.get("properties", {}).items()
        yield f"<h2>{escape(name)}</h2>"
        yield from _table("Field", ((field, each.get("description", "")) for field, each in fields))
    yield "</main></body></html>"


def _table(name: str, rows: Iterator[tuple[str, str]]) -> Iterator[str]:
    lines = [f'<tr><th scope="row">{escape(key)}</th><td>{escape(text)}</td></tr>' for key, text in rows]
    if lines:
        yield f'<table class="docs"><thead><tr><th scope="col">{name}</th><th scope="col">Meaning</th></tr></thead>'
        yield f"<tbody>{''.join(lines)}</tbody></table>"
