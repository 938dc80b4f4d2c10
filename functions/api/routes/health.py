"""GET /health and GET /ready."""

from typing import Literal

import sqlalchemy as sa
from fastapi import APIRouter
from fastapi.responses import Response
from pydantic import BaseModel, Field
from sqlalchemy.exc import ProgrammingError

from api.database.reader import DatabaseUnavailableError, Reader, Statement
from api.requests.authorisation import Rule, ruled
from api.requests.problems import UNAVAILABLE
from api.settings import Auth

SCHEMA = "0010"
"""The oldest schema that this code can read (Alembic's revision). A deployment migrates first, so a newer one is
expected now and then, and fine: migrations add before anything is taken away."""


SCHEMA_VERSION: Statement = sa.select(sa.column("version_num")).select_from(sa.table("alembic_version"))
"""The revision of the schema (Alembic's)."""


class Health(BaseModel):
    """The process answers."""

    status: Literal["ok"] = "ok"


class Readiness(BaseModel):
    """The process can answer from its database."""

    status: Literal["ready"] = "ready"
    schema_version: str = Field(description="The database's schema.", examples=[SCHEMA])


def router(reader: Reader, auth: Auth) -> APIRouter:
    """Return the routes."""
    routes = APIRouter(route_class=ruled(Rule.OPEN, auth), tags=["operation"])

    @routes.get("/health", summary="Whether the process answers")
    async def health(response: Response) -> Health:
        """Ask nobody else."""
        response.headers["Cache-Control"] = "no-store"
        return Health()

    @routes.get(
        "/ready", summary="Whether the database answers, with a schema that fits", responses=UNAVAILABLE
    )
    async def ready(response: Response) -> Readiness:
        """Ask the database for its schema."""
        response.headers["Cache-Control"] = "no-store"
        try:
            rows = await reader.rows(SCHEMA_VERSION)
        except ProgrammingError:  # no such table
            rows = []
        found = rows[0][0] if rows else None
        if found is None or found < SCHEMA:
            raise DatabaseUnavailableError(f"its schema is {found}, and must be {SCHEMA} or later")
        return Readiness(schema_version=found)

    return routes
