"""The API answers the report's questions, however its callers are authorised."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from mangum import Mangum

from api.app import create_app
from api.settings import ApiSettings, Auth
from logstats.settings import DatabaseSettings
from report.client import AUTHORIZERS, content, request

QUESTIONS: tuple[tuple[str, dict[str, str]], ...] = (
    ("/overview", {"from": "2024-10-03", "to": "2024-10-03"}),
    ("/overview", {}),
    ("/customers", {"from": "2024-10-03", "to": "2024-10-03", "sort": "-change_p99", "limit": "1000"}),
    ("/ingestions", {"limit": "1000"}),
)

CONTEXT: Any = None
"""Nobody looks at it."""


@contextmanager
def function(database: DatabaseSettings, auth: Auth) -> Iterator[Mangum]:
    app = create_app(database, ApiSettings(auth=auth))
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    yield Mangum(app, lifespan="off", text_mime_types=["application/"])
    loop.run_until_complete(app.state.reader.close())
    asyncio.set_event_loop(None)
    loop.close()


@pytest.mark.parametrize("auth", AUTHORIZERS)
def test_every_question_is_answered(database: DatabaseSettings, auth: Auth) -> None:
    with function(database, auth) as answer:
        for path, query in QUESTIONS:
            assert content(path, answer(request(path, query, AUTHORIZERS[auth]), CONTEXT))


@pytest.mark.parametrize("auth", ["iam", "jwt"])
@pytest.mark.parametrize("authorizer", [{}, {"jwt": {"claims": {"sub": "somebody"}, "scopes": ["other"]}}])
def test_nobody_else_is(database: DatabaseSettings, auth: Auth, authorizer: dict[str, Any]) -> None:
    with function(database, auth) as answer:
        refused = answer(request("/overview", {}, authorizer), CONTEXT)
    assert refused["statusCode"] in {401, 403}
    assert "detail" in json.loads(refused["body"])
