"""The answer to CloudFormation: complete, retried, and never too long."""

import http.server
import json
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from migrate.custom_resource import respond


class Listener:
    """Where CloudFormation waits for the answer."""

    def __init__(self) -> None:
        self.answers: list[dict[str, Any]] = []
        self.content_types: list[str | None] = []
        self.failures = 0
        listener = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_PUT(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if listener.failures:
                    listener.failures -= 1
                    self.send_error(503)
                    return
                listener.answers.append(json.loads(body))
                listener.content_types.append(self.headers["Content-Type"])
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self.server = http.server.HTTPServer(("127.0.0.1", 0), Handler)

    def event(self, kind: str = "Create") -> dict[str, Any]:
        return {
            "RequestType": kind,
            "ResponseURL": f"http://127.0.0.1:{self.server.server_port}/answer?signature=x",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Applied",
            "PhysicalResourceId": "logstats-schema",
        }


@pytest.fixture
def listener() -> Iterator[Listener]:
    made = Listener()
    thread = threading.Thread(target=made.server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


def test_success(listener: Listener) -> None:
    respond(listener.event(), "physical", {"Revision": "0001"})
    assert listener.answers == [
        {
            "Status": "SUCCESS",
            "Reason": "",
            "PhysicalResourceId": "physical",
            "StackId": "stack",
            "RequestId": "request",
            "LogicalResourceId": "Applied",
            "Data": {"Revision": "0001"},
        }
    ]
    assert listener.content_types == [""]  # the address is signed without one


def test_failure_with_a_long_reason(listener: Listener) -> None:
    respond(listener.event(), "physical", failure="x" * 10_000)
    (answer,) = listener.answers
    assert answer["Status"] == "FAILED"
    assert len(json.dumps(answer)) < 4096


def test_an_answer_that_does_not_get_through_is_sent_again_but_not_for_ever(
    listener: Listener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("migrate.custom_resource.time.sleep", lambda _: None)
    listener.failures = 3
    respond(listener.event(), "physical")
    assert len(listener.answers) == 1
    listener.failures = 100
    with pytest.raises(OSError, match="503"):
        respond(listener.event(), "physical")
    assert listener.failures == 96
