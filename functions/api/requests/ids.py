"""The id of a request: in its answer, and in every log line that is about it."""

import logging
import re
from collections.abc import MutableMapping
from contextvars import ContextVar
from typing import Any
from uuid import uuid4

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from logstats import failures
from logstats.pseudonyms import pseudonym

logger = logging.getLogger("api")

HEADER = b"x-request-id"
_USABLE = re.compile(rb"[A-Za-z0-9._=-]{1,128}")  # API Gateway's own ids end in "="

_current: ContextVar[str | None] = ContextVar("request_id", default=None)


class RequestIds:
    """ASGI middleware: the gateway's id in Lambda; otherwise the client's if it is usable, or a new one.

    HEAD is answered as GET is, without the body (RFC 9110, 9.3.2).

    An unexpected error is logged here, with the id. Starlette raises it again after it has been answered; it ends here,
    or else whoever called would log it a second time, without the id.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        text = _id(scope)
        token = _current.set(text)
        header = (HEADER, text.encode())

        complete = False
        is_head = scope["method"] == "HEAD"
        if is_head:
            scope = {**scope, "method": "GET"}

        async def send_with_id(message: Message) -> None:
            nonlocal complete
            complete = message["type"] == "http.response.body" and not message.get("more_body")
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), header]
            elif is_head:
                message["body"] = b""
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except Exception as error:
            what = failures.describe(error)
            logger.exception("The request failed: %s: %s", route(scope), what, extra=identifiers(scope))
            if not complete:
                raise
        finally:
            _current.reset(token)


def route(scope: MutableMapping[str, Any]) -> str:
    """Return method and route of a request, as they are declared: a path holds a customer's id."""
    return f"{scope['method']} {getattr(scope.get('route'), 'path', '(no route)')}"


def identifiers(scope: MutableMapping[str, Any]) -> dict[str, str]:
    """Return what a log line may name of a request: the customer by pseudonym only."""
    customer_id = (scope.get("path_params") or {}).get("customer_id")
    return {} if customer_id is None else {"customer": pseudonym(customer_id)}


def current() -> str | None:
    """Return the id of the request that is being answered."""
    return _current.get()


class RequestIdFilter(logging.Filter):
    """Adds `request_id` to the log records of a request."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Let every record pass."""
        if (text := _current.get()) is not None:
            record.request_id = text
        return True


def _id(scope: MutableMapping[str, Any]) -> str:
    event = scope.get("aws.event")
    if event is not None:
        return str(event["requestContext"].get("requestId") or uuid4())
    for name, value in scope["headers"]:
        if name == HEADER and _USABLE.fullmatch(value):
            return str(value.decode())
    return str(uuid4())
