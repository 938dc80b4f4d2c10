"""Asking the API's function: the events that the API believes, patience with a database that resumes, and failures."""

import io
import json
import time
from typing import Any, get_args

import pytest

from api.requests.authorisation import Rule, caller
from api.settings import Auth
from report.client import AUTHORIZERS, ApiFunction, ReportError, request

UNAVAILABLE = {
    "statusCode": 503,
    "headers": {"retry-after": "10"},
    "body": json.dumps({"detail": "The database is not available yet. Ask again in 10 seconds."}),
}
ANSWER = {"statusCode": 200, "headers": {}, "body": '{"days": []}'}


class Lambda:
    """Lambda, which invokes a function that has these answers."""

    def __init__(self, *answers: dict[str, Any], error: bool = False) -> None:
        self.answers, self.error = list(answers), error
        self.invoked: list[tuple[str, dict[str, Any]]] = []

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        self.invoked.append((FunctionName, json.loads(Payload)))
        told = {"FunctionError": "Unhandled"} if self.error else {}
        return {"Payload": io.BytesIO(json.dumps(self.answers.pop(0)).encode()), **told}


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    made: list[float] = []
    monkeypatch.setattr(time, "sleep", made.append)
    return made


def get(client: Lambda, seconds: float = 60, path: str = "/overview", **query: str) -> Any:  # noqa: ANN401 - JSON
    deadline = time.monotonic() + seconds
    return ApiFunction(client, "arn:live", "iam", deadline).get(path, query)  # type: ignore[arg-type]  # a stand-in


def test_the_gateway_s_target_is_asked_as_the_gateway_asks() -> None:
    client = Lambda(ANSWER)
    assert get(client, sort="-change_p99", prefix="a&b") == {"days": []}
    ((function, event),) = client.invoked
    assert function == "arn:live"
    assert event["rawQueryString"] == "sort=-change_p99&prefix=a%26b"
    assert event["requestContext"]["authorizer"] == AUTHORIZERS["iam"]


@pytest.mark.parametrize("auth", get_args(Auth))
def test_the_api_believes_that_the_report_reads_every_customer(auth: Auth) -> None:
    found = caller(auth, request("/overview", {}, AUTHORIZERS[auth]))
    assert found
    assert found.may(Rule.ALL_CUSTOMERS, None)


def test_the_event_says_no_more_than_one_authoriser_would() -> None:
    """Keep callers apart: what stands in an event for one kind is none for another."""
    assert caller("jwt", request("/overview", {}, AUTHORIZERS["iam"])) is None
    assert caller("iam", request("/overview", {}, AUTHORIZERS["jwt"])) is None
    assert AUTHORIZERS["none"] == {}


def test_a_database_that_resumes_is_waited_for(pauses: list[float]) -> None:
    client = Lambda(UNAVAILABLE, UNAVAILABLE, ANSWER)
    assert get(client) == {"days": []}
    assert pauses == [10, 10]
    assert client.invoked[0] == client.invoked[2]


def test_a_database_that_never_answers_is_given_up_in_time(pauses: list[float]) -> None:
    with pytest.raises(
        ReportError, match=r"^GET /overview is answered 503: The database is not available yet\."
    ):
        get(Lambda(*[UNAVAILABLE] * 9), seconds=9)
    assert pauses == []


@pytest.mark.parametrize("status", [401, 403, 404, 422, 500])
def test_any_other_answer_is_a_failure_at_once(status: int, pauses: list[float]) -> None:
    body = json.dumps({"detail": [{"msg": "no"}] if status == 422 else "no"})
    with pytest.raises(ReportError, match=f"^GET /overview is answered {status}: .*no") as raised:
        get(Lambda({"statusCode": status, "headers": {}, "body": body}))
    assert "\n" not in str(raised.value)
    assert pauses == []


def test_a_function_that_fails_says_why() -> None:
    failed = {"errorType": "UnansweredError", "errorMessage": "out of memory"}
    with pytest.raises(ReportError, match=r"^GET /overview: the API's function fails: out of memory$"):
        get(Lambda(failed, error=True))
