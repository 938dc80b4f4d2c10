"""Execution environments are reused, replaced and limited to one invocation at a time."""

import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from local.cloud import function as function_
from local.cloud.execution import ExecutionEnvironment, FunctionError, HandlerError, InitError, TimedOutError
from local.cloud.function import Function
from tests.unit.local.cloud.test_execution import VARIABLES, event

CODE = """
import os, time
def handler(event, context):
    if event == "fail":
        raise ValueError("no")
    if isinstance(event, (int, float)):
        time.sleep(event)
    return os.getpid()
"""


@pytest.fixture
def function(tmp_path: Path) -> Iterator[Function]:
    (tmp_path / "fn.py").write_text(CODE)

    def start(_arn: str) -> ExecutionEnvironment:
        return ExecutionEnvironment(
            Path(sys.executable), [tmp_path], "fn.handler", VARIABLES, tmp_path / "log"
        )

    made = Function(start)
    yield made
    made.close()


def test_one_after_the_other_share_a_process(function: Function) -> None:
    assert function.invoke(event()) == function.invoke(event())


def test_at_the_same_time_have_one_each(function: Function) -> None:
    pids: list[object] = []
    threads = [threading.Thread(target=lambda: pids.append(function.invoke(event(0.5)))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(pids)) == 2


def test_after_a_timeout_the_next_gets_a_new_process(function: Function) -> None:
    before = function.invoke(event())
    with pytest.raises(TimedOutError):
        function.invoke(event(60, seconds=0.5))
    assert function.invoke(event()) != before


def test_an_old_process_is_replaced_before_its_credentials_expire(
    function: Function, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = function.invoke(event())
    monkeypatch.setattr(function_, "_MAX_AGE_SECONDS", 0.0)
    assert function.invoke(event()) != before


def test_failures_are_remembered_with_their_events(function: Function) -> None:
    with pytest.raises(HandlerError):
        function.invoke(event("fail"))
    (failure,) = function.failures
    assert (failure.event, str(failure.error)) == ("fail", "ValueError: no")


def test_a_failing_start_is_remembered_too() -> None:
    def start(_arn: str) -> ExecutionEnvironment:
        raise InitError("ImportError", "no module")

    function = Function(start)
    with pytest.raises(InitError):
        function.invoke(event())
    assert len(function.failures) == 1


def test_an_environment_that_was_killed_ends_its_invocation(function: Function) -> None:
    """Its streams are closed, too: that is the same failure, wherever the invocation is when it happens."""
    function.invoke(event())
    environment = next(iter(function._all.values()))
    environment.kill()
    with pytest.raises(HandlerError, match="had ended"):
        environment.invoke(event())


def test_closing_ends_an_invocation_and_refuses_the_next(function: Function) -> None:
    function.invoke(event())
    errors: list[FunctionError] = []

    def invoke() -> None:
        try:
            function.invoke(event(60))
        except FunctionError as error:
            errors.append(error)

    thread = threading.Thread(target=invoke)
    thread.start()
    time.sleep(0.2)
    function.close()
    thread.join(10)
    assert len(errors) == 1
    with pytest.raises(InitError, match="stopping"):
        function.invoke(event())
