"""GET /docs and GET /openapi.json, also behind a gateway's stage path."""

from fastapi import APIRouter, FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.responses import HTMLResponse, JSONResponse

from api.authorisation import Rule, ruled
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
        """Show it; the link is relative, so that it holds behind any path."""
        return get_swagger_ui_html(openapi_url="openapi.json", title=f"{app.title}: documentation")

    return routes
