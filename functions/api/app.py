"""The application: routes, error answers and documentation around one database."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from api import __version__, problems
from api.database import Database
from api.routes import page, stats
from api.settings import ApiSettings
from logstats.settings import DatabaseSettings, load

_DESCRIPTION = """
Daily statistics per customer, computed from API request logs: exact counts, exact means, and percentiles by the
nearest-rank definition.

All days are UTC. All durations are seconds. A day without requests is absent.
"""


def create_app(database: DatabaseSettings, settings: ApiSettings) -> FastAPI:
    """Return the app; it connects to its database with the first request that needs it."""
    connections = Database(database, settings)

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        yield
        await connections.close()

    app = FastAPI(
        title="logstats",
        summary="Daily statistics of API requests",
        description=_DESCRIPTION,
        version=__version__,
        lifespan=lifespan,
        redirect_slashes=False,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.database = connections
    app.include_router(stats.router(connections))
    app.include_router(page.router())
    problems.install(app, settings)
    return app


def app_from_environment() -> FastAPI:
    """Return the app with settings from the environment (a factory for ASGI servers)."""
    return create_app(load(DatabaseSettings), load(ApiSettings))
