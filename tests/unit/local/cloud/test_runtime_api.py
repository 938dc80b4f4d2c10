"""The Runtime API toward an environment that it did not start: a container that is killed and comes back."""

import http.client
import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from local.cloud.runtime_api import Invocation, Result, RuntimeApi

NEXT = "/2018-06-01/runtime/invocation/next"


@pytest.fixture
def api() -> Iterator[RuntimeApi]:
    with RuntimeApi() as started:
        yield started


def invoke(api: RuntimeApi, event: object, seconds: float = 30) -> Callable[[], Result]:
    """Invoke in a thread; return what waits for its end."""
    return ThreadPoolExecutor().submit(api.invoke, Invocation(event, time.time() + seconds)).result


def connected(api: RuntimeApi, path: str = NEXT) -> http.client.HTTPConnection:
    """Ask for the next event, and do not wait for it."""
    connection = http.client.HTTPConnection(api.address, timeout=30)
    connection.request("GET", path)
    return connection


def event(connection: http.client.HTTPConnection) -> object:
    body: object = json.loads(connection.getresponse().read())
    connection.close()
    return body


def test_an_environment_that_is_killed_gets_no_event_and_the_next_one_does(api: RuntimeApi) -> None:
    killed = connected(api)
    killed.close()
    time.sleep(0.3)  # it is noticed
    result = invoke(api, "event", seconds=3)
    assert event(connected(api)) == "event"
    assert result().kind == "timeout"


def test_an_event_whose_environment_was_replaced_has_failed(api: RuntimeApi) -> None:
    result = invoke(api, "first")
    assert event(connected(api)) == "first"
    second = connected(api)
    assert (result().kind, result().error_type) == ("exit", "Runtime.ExitError")
    invoke(api, "second", seconds=1)
    assert event(second) == "second"


def test_an_event_that_has_waited_too_long_is_not_handed_over(api: RuntimeApi) -> None:
    assert invoke(api, "late", seconds=0.1)().kind == "timeout"
    result = invoke(api, "in time", seconds=3)
    assert event(connected(api)) == "in time"
    assert result().kind == "timeout"


def test_an_init_error_answers_all_that_wait_or_else_the_next(api: RuntimeApi) -> None:
    waiting = [invoke(api, number) for number in range(2)]
    time.sleep(0.3)  # both wait
    api.fail_init({}, "Runtime.ImportModuleError")
    assert [result().kind for result in waiting] == ["init_error"] * 2
    api.fail_init({}, "Runtime.ImportModuleError")
    assert [invoke(api, "next", seconds=1)().kind for _ in range(2)] == ["init_error", "timeout"]


def test_another_path_is_not_found(api: RuntimeApi) -> None:
    assert event(connected(api, "/")) == {"errorType": "NotFound"}
