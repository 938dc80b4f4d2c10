"""The endpoint answers as MiniStack's proxy mode needs it: everything but success is no 2xx."""

from typing import Any

import httpx
import pytest

from local.cloud.endpoint import InvocationEndpoint
from local.cloud.runtime_api import Invocation, Result

ARN = "arn:aws:lambda:us-east-1:000000000000:function:processor"
FAILURE = {"errorType": "ValueError", "errorMessage": "no"}


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (Result("response", {"batchItemFailures": []}), 200),
        (Result("error", FAILURE), 500),
        (Result("exit", FAILURE), 500),
        (Result("init_error", FAILURE), 502),
        (Result("timeout", FAILURE), 504),
    ],
    ids=lambda value: getattr(value, "kind", value),
)
def test_trap_17_no_failure_is_answered_with_2xx(result: Result, status: int) -> None:
    seen: list[Invocation] = []

    def invoke(invocation: Invocation) -> Result:
        seen.append(invocation)
        return result

    with InvocationEndpoint(invoke) as endpoint:
        assert post(endpoint.url, {"Records": []}) == (status, result.payload)
    (invocation,) = seen
    assert (invocation.event, invocation.request_id, invocation.function_arn) == (
        {"Records": []},
        "request-1",
        ARN,
    )
    assert invocation.deadline == 2_000_000_000.5


def post(url: str, event: object) -> tuple[int, Any]:
    assert url.startswith("http://127.0.0.1:"), "it listens on this machine only"
    headers = {
        "X-Amzn-Lambda-Request-Id": "request-1",
        "X-Amzn-Lambda-Function-Arn": ARN,
        "X-Amzn-Lambda-Deadline-Ms": "2000000000500",
    }
    answer = httpx.post(url, json=event, headers=headers, trust_env=False)
    return answer.status_code, answer.json()
