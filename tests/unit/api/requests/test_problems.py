import logging

import httpx
import pytest
from fastapi import FastAPI
from starlette.exceptions import HTTPException

from api.database.reader import DatabaseUnavailableError
from api.requests import problems
from api.settings import ApiSettings
from tests.asgi import get


def answer_to(error: Exception) -> httpx.Response:
    app = FastAPI()
    problems.install(app, ApiSettings(retry_after_seconds=7))

    @app.get("/")
    async def fail() -> None:
        raise error

    return get(app, "/")


def test_a_database_that_is_away_says_when_to_ask_again(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "api"):
        response = answer_to(DatabaseUnavailableError("connection refused by 10.0.0.7"))
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json() == {
        "type": "about:blank",
        "title": "Service Unavailable",
        "status": 503,
        "detail": "The database is not available yet. Ask again in 7 seconds.",
    }
    assert "10.0.0.7" in caplog.text


def test_other_refusals_keep_their_status_and_headers() -> None:
    response = answer_to(HTTPException(405, headers={"Allow": "GET"}))
    assert (response.status_code, response.headers["allow"]) == (405, "GET, HEAD")
    assert (response.json()["title"], response.json()["status"]) == ("Method Not Allowed", 405)
