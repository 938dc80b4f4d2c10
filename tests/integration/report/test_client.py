"""The API answers the report's questions, however its callers are authorised."""

import asyncio
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from mangum import Mangum

from api.app import create_app
from api.settings import ApiSettings, Auth
from logstats.settings import DatabaseSettings
from report.client import AUTHORIZERS, ApiFunction, content, request
from tests.unit.report.test_client import Lambda

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


def test_a_database_that_is_away_is_waited_for(
    database: DatabaseSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    pauses: list[float] = []
    monkeypatch.setattr(time, "sleep", pauses.append)
    away = DatabaseSettings(url="postgresql://u@127.0.0.1:1/away", tls="disable", iam_auth=False)
    answers = []
    for settings in (away, database):
        with function(settings, "iam") as answer:
            answers.append(answer(request("/overview", {}, AUTHORIZERS["iam"]), CONTEXT))
    client: Any = Lambda(*answers)
    assert ApiFunction(client, "arn", "iam", time.monotonic() + 60).get("/overview", {})["days"] == []
    assert pauses == [ApiSettings().retry_after_seconds]
