"""Requests to an app without a server."""

import asyncio

import httpx
from starlette.types import ASGIApp


async def ask(app: ASGIApp, target: str, method: str = "GET", **headers: str) -> httpx.Response:
    """Answer one request; underscores in the headers' names are hyphens."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        client.headers["Accept-Encoding"] = "identity"
        named = {name.replace("_", "-"): text for name, text in headers.items()}
        return await client.request(method, target, headers=named)


def get(app: ASGIApp, target: str, **headers: str) -> httpx.Response:
    """Answer a GET on an event loop of its own."""
    return asyncio.run(ask(app, target, **headers))
