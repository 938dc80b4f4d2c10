"""The endpoint answers as MiniStack's proxy mode needs it: everything but success is no 2xx."""

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest

from local.cloud import endpoint
from local.cloud.execution import FunctionError, HandlerError, InitError, Invocation, TimedOutError

ARN = "arn:aws:lambda:us-east-1:000000000000:function:processor"


class FakeFunction:
    """Stands in for a function: answers what it is told to."""

    def __init__(self, answer: Callable[[Invocation], object]) -> None:
        self.answer, self.closed = answer, False

    def invoke(self, invocation: Invocation) -> object:
        return self.answer(invocation)

    def close(self) -> None:
        self.closed = True


def post(function: FakeFunction, event: object) -> tuple[int, Any]:
    with endpoint.serving(function) as url:  # type: ignore[arg-type]  # a stand-in
        request = urllib.request.Request(  # noqa: S310 - an http address of ours
            url,
            json.dumps(event).encode(),
            {
                "X-Amzn-Lambda-Request-Id": "request-1",
                "X-Amzn-Lambda-Function-Arn": ARN,
                "X-Amzn-Lambda-Deadline-Ms": str(int(time.time() * 1000) + 30_000),
            },
        )
        try:
            with urllib.request.urlopen(request) as response:  # noqa: S310 - see above
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.load(error)


def test_success() -> None:
    seen = []

    def answer(invocation: Invocation) -> object:
        seen.append(invocation)
        return {"batchItemFailures": []}

    assert post(FakeFunction(answer), {"Records": []}) == (200, {"batchItemFailures": []})
    (invocation,) = seen
    assert (invocation.event, invocation.request_id, invocation.function_arn) == (
        {"Records": []},
        "request-1",
        ARN,
    )
    assert 20 < invocation.deadline - time.time() <= 30


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (HandlerError("ValueError", "no"), 500),
        (InitError("ImportError", "no"), 502),
        (TimedOutError("Sandbox.Timedout", "no"), 504),
    ],
)
def test_trap_17_no_failure_is_answered_with_2xx(error: FunctionError, status: int) -> None:
    def fail(_: Invocation) -> object:
        raise error

    assert post(FakeFunction(fail), {}) == (status, {"errorType": error.kind, "errorMessage": "no"})


def test_the_function_is_closed_with_the_endpoint() -> None:
    function = FakeFunction(lambda _: None)
    post(function, {})
    assert function.closed


def test_it_listens_on_this_machine_only() -> None:
    with endpoint.serving(FakeFunction(lambda _: None)) as url:  # type: ignore[arg-type]  # a stand-in
        assert url.startswith("http://127.0.0.1:")
