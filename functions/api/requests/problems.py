"""Errors as answers: FastAPI's own form for invalid requests, problem details (RFC 9457) for the rest."""

import json
import logging
from collections.abc import Collection
from http import HTTPStatus
from typing import Any, NoReturn

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field
from starlette.datastructures import QueryParams
from starlette.exceptions import HTTPException

from api.database.reader import DatabaseUnavailableError
from api.requests import ids
from api.settings import ApiSettings

logger = logging.getLogger("api")


class Problem(BaseModel):
    """Problem details of HTTP APIs (RFC 9457)."""

    type: str = Field(default="about:blank", description="The kind of problem: as the status says.")
    title: str = Field(description="The status in words.", examples=["Service Unavailable"])
    status: int = Field(description="The HTTP status.", examples=[503])
    detail: str = Field(
        description="What happened, and what to do.", examples=["The database is not available yet."]
    )
    request_id: str | None = Field(
        default=None,
        description="The request, as in `X-Request-Id` and in the log.",
        examples=["JKJaXmPLvHcESHA="],
    )


class ProblemResponse(JSONResponse):
    """An answer in the form of RFC 9457."""

    media_type = "application/problem+json"


def _documented(
    status: int, description: str, headers: dict[str, Any] | None = None
) -> dict[int | str, dict[str, Any]]:
    content = {ProblemResponse.media_type: {"schema": {"$ref": f"#/components/schemas/{Problem.__name__}"}}}
    return {status: {"description": description, "content": content, "headers": headers or {}}}


UNAVAILABLE = _documented(
    503,
    "The database does not answer in time: it is down, or resuming from a pause.",
    {"Retry-After": {"description": "Seconds after which to ask again.", "schema": {"type": "integer"}}},
)
"""Documented by every route that reads the database."""
REFUSALS = {
    **_documented(
        401,
        "No gateway has authenticated the caller.",
        {"WWW-Authenticate": {"description": "How to authenticate.", "schema": {"type": "string"}}},
    ),
    **_documented(403, "The caller may not read this."),
    **UNAVAILABLE,
}
"""Documented by every route that carries data."""
NOT_FOUND = _documented(404, "There is nothing of that number.")


def install(app: FastAPI, settings: ApiSettings) -> None:
    """Give an app its error answers."""

    async def invalid(_request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
        # ASCII: it may quote half a surrogate.
        body = json.dumps({"detail": jsonable_encoder(error.errors())})
        return Response(body, 422, media_type="application/json")

    async def refused(_request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
        headers = dict(error.headers or {})
        if headers.get("Allow") == "GET":
            headers["Allow"] = "GET, HEAD"  # which is answered as GET is (api.requests.ids)
        return problem(error.status_code, error.detail, headers)

    async def unavailable(request: Request, error: Exception) -> Response:
        logger.warning(
            "The database is unavailable: %s: %s",
            ids.route(request.scope),
            error,
            extra=ids.identifiers(request.scope),
        )
        return problem(
            503,
            f"The database is not available yet. Ask again in {settings.retry_after_seconds} seconds.",
            {"Retry-After": str(settings.retry_after_seconds)},
        )

    async def failed(_request: Request, _error: Exception) -> Response:
        return problem(500, "The request failed; the error has been logged.")  # by api.requests.ids

    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, refused)
    app.add_exception_handler(DatabaseUnavailableError, unavailable)
    app.add_exception_handler(Exception, failed)


def problem(status: int, detail: str, headers: dict[str, str] | None = None) -> ProblemResponse:
    """Return an error as problem details."""
    content = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, request_id=ids.current())
    return ProblemResponse(content.model_dump(exclude_none=True), status, headers)


def refuse(kind: str, parameter: str, message: str, value: object) -> NoReturn:
    """Refuse the value of a query parameter, by a `RequestValidationError`."""
    raise RequestValidationError(
        [{"type": kind, "loc": ("query", parameter), "msg": message, "input": value}]
    )


def check_query(query: QueryParams, known: Collection[str]) -> None:
    """Refuse parameters that are unknown, or given more than once, by one error that names each: guessing would be silent."""
    problems = [
        {"type": kind, "loc": ("query", name), "msg": message, "input": values}
        for name in query
        for values in [query.getlist(name)]
        for kind, message, wrong in (
            ("unknown", f"Input should be one of {', '.join(sorted(known)) or 'none'}", name not in known),
            ("repeated", "Input should be given once", name in known and len(values) > 1),
        )
        if wrong
    ]
    if problems:
        raise RequestValidationError(problems)
