import asyncio
import logging
import re

import pytest
from starlette.types import Message, Receive, Scope, Send

from api.requests.ids import RequestIdFilter, RequestIds, current


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with the current request's id."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"a", b"b")]})
    await send({"type": "http.response.body", "body": (current() or "").encode()})


def ask(scope: Scope) -> tuple[list[tuple[bytes, bytes]], str]:
    sent: list[Message] = []

    async def receive() -> Message:
        raise AssertionError

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(RequestIds(echo)({"type": "http", "method": "GET", "headers": [], **scope}, receive, send))
    return sent[0]["headers"], sent[1]["body"].decode()


def test_the_gateways_id_is_taken() -> None:
    event = {"requestContext": {"requestId": "JKJaXmPLvHcESHA="}}
    headers, text = ask({"aws.event": event, "headers": [(b"x-request-id", b"mine")]})
    assert headers == [(b"a", b"b"), (b"x-request-id", b"JKJaXmPLvHcESHA=")]
    assert text == "JKJaXmPLvHcESHA="
    assert current() is None


@pytest.mark.parametrize("sent", [b"mine-1.2_3=", b"x" * 128])
def test_a_clients_id_is_taken_if_it_is_usable(sent: bytes) -> None:
    assert ask({"headers": [(b"x-request-id", sent)]})[1] == sent.decode()


@pytest.mark.parametrize("sent", [b"", b"a b", b"a\r\nset-cookie: x", b"x" * 129, b"\xff", b'"}'])
def test_otherwise_a_new_one_is_made(sent: bytes) -> None:
    first, second = (ask({"headers": [(b"x-request-id", sent)]})[1] for _ in range(2))
    assert re.fullmatch(r"[0-9a-f-]{36}", first)
    assert first != second


def test_log_records_name_the_request(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("test_requests")
    logger.addFilter(RequestIdFilter())

    async def log(_scope: Scope, _receive: Receive, _send: Send) -> None:
        logger.warning("within")

    scope = {"type": "http", "method": "GET", "headers": [(b"x-request-id", b"mine")]}
    asyncio.run(RequestIds(log)(scope, None, None))  # type: ignore[arg-type]  # what it does not use is None
    logger.warning("after")
    assert [getattr(record, "request_id", None) for record in caplog.records] == ["mine", None]


@pytest.mark.parametrize("answered", [True, False])
def test_an_unexpected_error_is_logged_once_and_raised_only_if_nobody_has_answered(
    caplog: pytest.LogCaptureFixture, *, answered: bool
) -> None:
    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        if answered:
            await echo(scope, receive, send)
        raise RuntimeError("ours")

    async def send(_message: Message) -> None: ...

    scope = {"type": "http", "method": "GET", "path": "/a", "headers": [(b"x-request-id", b"mine")]}
    call = RequestIds(fail)(scope, None, send)  # type: ignore[arg-type]  # what it does not use is None
    if answered:
        asyncio.run(call)
    else:
        with pytest.raises(RuntimeError, match="ours"):
            asyncio.run(call)
    said = [record.getMessage() for record in caplog.records]
    assert said == ["The request failed: GET (no route): RuntimeError"], "neither the path nor the text"
    assert caplog.records[0].exc_info
