"""Ask the API's function as API Gateway asks it, for a caller who reads every customer.

The function believes what its event says of the caller (`api.requests.authorisation`), because only those write events who may
invoke it: API Gateway, for its own routes, and the report's role. So the right to invoke is the authentication here, and
IAM guards it; whoever comes through the gateway cannot write what is only the gateway's to write. The event says no more
than the deployment's authoriser would: a signer for IAM, one scope for tokens, nothing where anyone may call.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

if TYPE_CHECKING:
    from mypy_boto3_lambda.client import LambdaClient

UNAVAILABLE = 503
"""The database does not answer yet: Aurora resumes from its pause in about 15 seconds, after a day's pause in more."""
AUTHORIZERS: Mapping[str, Mapping[str, Any]] = {
    "none": {},
    "iam": {"iam": {"userId": "report"}},
    "jwt": {"jwt": {"claims": {"sub": "report"}, "scopes": ["stats:read"]}},
}
"""Holds what API Gateway's authoriser says of a caller who reads every customer, by the API's `auth`."""

logger = logging.getLogger(__name__)


class ReportError(Exception):
    """The API does not answer; the message says what it answers instead, in one line."""


@dataclass(frozen=True, slots=True)
class ApiFunction:
    """The API's function.

    Attributes
    ----------
    function
        Its ARN, with the alias that the gateway invokes.
    auth
        Who may call the API: a key of `AUTHORIZERS`.
    deadline
        Until when (`time.monotonic`) to wait for a database that does not answer yet.
    """

    client: "LambdaClient"
    function: str
    auth: str
    deadline: float

    def get(self, path: str, query: Mapping[str, str]) -> Any:  # noqa: ANN401 - JSON
        """Return the answer to a request; a `ReportError` if it is not 200, or the function fails."""
        event = request(path, query, AUTHORIZERS[self.auth])
        while (answer := self._invoke(event))["statusCode"] == UNAVAILABLE:
            pause = int(answer["headers"]["retry-after"])
            if time.monotonic() + pause > self.deadline:
                break
            logger.info("The database does not answer yet: asking again in %d seconds", pause)
            time.sleep(pause)
        return content(path, answer)

    def _invoke(self, event: Mapping[str, Any]) -> dict[str, Any]:
        invoked = self.client.invoke(FunctionName=self.function, Payload=json.dumps(event))
        answer: dict[str, Any] = json.loads(invoked["Payload"].read())
        if "FunctionError" in invoked:
            raise ReportError(
                f"GET {event['rawPath']}: the API's function fails: {answer.get('errorMessage')}"
            )
        return answer


def request(path: str, query: Mapping[str, str], authorizer: Mapping[str, Any]) -> dict[str, Any]:
    """Return the event of a GET (payload version 2.0)."""
    return {
        "version": "2.0",
        "routeKey": f"GET {path}",
        "rawPath": path,
        "rawQueryString": urlencode(query),
        "headers": {"accept": "application/json", "host": "report"},
        "requestContext": {
            "authorizer": authorizer,
            "http": {"method": "GET", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1"},
            "stage": "$default",
        },
        "isBase64Encoded": False,
    }


def content(path: str, answer: Mapping[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return the content of an answer; a `ReportError` if it is not 200."""
    text = answer["body"]
    body = json.loads(base64.b64decode(text) if answer.get("isBase64Encoded") else text)
    if answer["statusCode"] != 200:
        raise ReportError(f"GET {path} is answered {answer['statusCode']}: {body['detail']}")
    return body
