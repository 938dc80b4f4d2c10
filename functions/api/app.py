"""The application: routes, error answers and documentation around one database."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI
from starlette.types import ASGIApp

from api import __version__
from api.answers.cache import CachedAnswers, LRUCache
from api.database.reader import Reader
from api.requests import authorisation, problems
from api.requests.ids import RequestIds
from api.routes import breakdowns, customers, documentation, health, ingestions, overview, page, stats
from api.settings import ApiSettings
from api.statistics.query import CachedStatistics
from logstats.settings import DatabaseSettings, load

_DESCRIPTION = """
Daily statistics per customer, computed from API request logs: exact counts, exact means, and percentiles by the
nearest-rank definition.

All days are UTC. All durations are seconds. A day without requests is absent. Errors are problem details (RFC 9457),
but for 422, which has FastAPI's form. Every answer has an `X-Request-Id`.
"""


def create_app(database: DatabaseSettings, settings: ApiSettings) -> FastAPI:
    """Return the app; it connects to its database with the first request that needs it."""
    reader = Reader(database, settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        gc.freeze()  # what a server has imported stays: a full collection would stop all requests to look at it
        yield
        await reader.close()

    app = Api(
        title="logstats",
        summary="Daily statistics of API requests",
        description=_DESCRIPTION,
        version=__version__,
        lifespan=lifespan,
        redirect_slashes=False,
        openapi_url=None,  # routes/documentation.py has them, with a rule
        docs_url=None,
        redoc_url=None,
        servers=[{"url": ".", "description": "Where this document is."}],
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.reader = reader
    cache = LRUCache(settings.cache_bytes)
    answers = CachedAnswers(reader, cache)
    for router in (
        stats.router(CachedStatistics(reader, cache), settings.auth),
        customers.router(reader, answers, settings.auth),
        overview.router(answers, settings.auth),
        *breakdowns.routers(answers, settings.auth),
        ingestions.router(reader, settings.auth),
        health.router(reader, settings.auth),
        documentation.router(app, settings.auth),
        page.router(settings.auth),
    ):
        app.include_router(router)
    problems.install(app, settings)
    authorisation.check(app)
    return app


class Api(FastAPI):
    """FastAPI with the request's id around everything, the answer to an unexpected error too, and documented errors."""

    def openapi(self) -> dict[str, Any]:
        """Return the document, with the form of the errors, which no route returns itself."""
        document = super().openapi()
        document["components"]["schemas"].setdefault("Problem", problems.Problem.model_json_schema())
        return document

    def build_middleware_stack(self) -> ASGIApp:
        """Return what answers requests."""
        return RequestIds(super().build_middleware_stack())


def app_from_environment() -> FastAPI:
    """Return the app with settings from the environment (a factory for ASGI servers)."""
    return create_app(load(DatabaseSettings), load(ApiSettings))
