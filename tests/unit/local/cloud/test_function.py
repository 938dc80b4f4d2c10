"""Execution environments are reused, replaced and limited to one invocation at a time."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from local.cloud import function as function_
from local.cloud.execution import ExecutionEnvironment
from local.cloud.function import Function
from tests.unit.local.cloud.test_execution import EVALUATES, environment_of, invocation

PID = "os.getpid()"


@pytest.fixture
def function(tmp_path: Path) -> Iterator[Function]:
    made = Function(lambda _arn: environment_of(tmp_path, EVALUATES))
    yield made
    made.close()


def pid(function: Function) -> object:
    return function.invoke(invocation(PID)).payload


def test_one_after_the_other_share_a_process_and_at_the_same_time_have_one_each(function: Function) -> None:
    first = pid(function)
    assert pid(function) == first
    events = [invocation(f"[time.sleep(0.5), {PID}][1]") for _ in range(2)]
    with ThreadPoolExecutor() as pool:
        pids = [result.payload for result in pool.map(function.invoke, events)]
    assert len(set(pids)) == 2
    assert first in pids


@pytest.mark.parametrize(
    ("expression", "kind", "message"),
    [
        ("[][1]", "error", "list index out of range"),
        ("time.sleep(60)", "timeout", "Task timed out"),
        ("os._exit(1)", "exit", "the runtime has exited without an answer"),
    ],
)
def test_a_failure_is_remembered_and_all_but_an_error_ends_the_process(
    function: Function, expression: str, kind: str, message: str
) -> None:
    before = pid(function)
    assert function.invoke(invocation(expression, seconds=1)).kind == kind
    (failure,) = function.failures
    assert (failure.event, failure.message) == (expression, message)
    assert (pid(function) == before) == (kind == "error")


def test_an_old_process_is_replaced_before_its_credentials_expire(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = pid(function)
    monkeypatch.setattr(function_, "_MAX_AGE_SECONDS", 0.0)
    assert pid(function) != before


def test_a_function_that_is_not_there_is_an_init_error_and_remembered() -> None:
    def start(_arn: str) -> ExecutionEnvironment:
        raise ClientError({"Error": {"Code": "ResourceNotFoundException", "Message": "no such"}}, "Get")

    function = Function(start)
    result = function.invoke(invocation("1"))
    assert (result.kind, result.error_type) == ("init_error", "ClientError")
    assert "no such" in function.failures[0].message


def test_closing_ends_an_invocation_and_refuses_the_next(function: Function) -> None:
    pid(function)
    running = ThreadPoolExecutor().submit(function.invoke, invocation("time.sleep(60)"))
    time.sleep(0.2)
    function.close()
    assert running.result(10).kind == "exit"
    assert function.invoke(invocation(PID)).kind == "exit"
