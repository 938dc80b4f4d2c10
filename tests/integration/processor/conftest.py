"""The handler, an S3 double, and the handler's log."""

import io
from collections.abc import Iterator
from functools import lru_cache

import pytest

from logstats.settings import DatabaseSettings
from processor import handler as module
from tests.events import context, sqs_messages
from tests.s3_double import S3Double

REJECTS = "rejected-lines"


def deliver(*bodies: object, seconds: float = 300) -> list[str]:
    """Invoke the handler with a message per body, and one that always succeeds; return the ids of those that failed."""
    messages = sqs_messages(*bodies, {"Event": "s3:TestEvent"})
    answer = module.handler(messages, context(seconds))
    return [str(failure["itemIdentifier"]) for failure in answer["batchItemFailures"]]


@pytest.fixture
def fresh_handler(database_variables: DatabaseSettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let the handler make its client, settings and ingestor anew."""
    monkeypatch.setenv("REJECTS_BUCKET", REJECTS)
    for name in ("_s3", "_settings", "_ingestor"):
        monkeypatch.setattr(module, name, lru_cache(getattr(module, name).__wrapped__))
    yield
    if module._ingestor.cache_info().currsize:
        module._ingestor().engine.dispose()
    if module._s3.cache_info().currsize:
        module._s3().close()


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    stream = io.StringIO()
    monkeypatch.setattr(module.logger.registered_handler, "stream", stream)
    return stream


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[S3Double]:
    """A double of S3, in the environment as its endpoint."""
    with S3Double() as double:
        for name, value in (double.variables | {"REJECTS_BUCKET": REJECTS}).items():
            monkeypatch.setenv(name, value)
        yield double
