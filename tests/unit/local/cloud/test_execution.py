"""An execution environment does what Lambda's does, also when the handler does not."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from local.cloud.execution import ExecutionEnvironment
from local.cloud.runtime_api import Invocation
from tests.unit.local.cloud.test_processes import eventually_gone

ARN = "arn:aws:lambda:us-east-1:000000000000:function:processor"
EVALUATES = """
    import os, subprocess, sys, threading, time
    print("at init")
    def handler(event, context):
        return eval(event)
"""
COMPILED_CLIENT_MISSING = 'import sys; sys.modules["runtime_client"] = None'


def invocation(event: object, seconds: float = 30) -> Invocation:
    return Invocation(event, time.time() + seconds, ARN, request_id="request-1")


def environment_of(folder: Path, code: str) -> ExecutionEnvironment:
    (folder / "fn.py").write_text(textwrap.dedent(code))
    variables = {
        "AWS_LAMBDA_FUNCTION_NAME": "processor",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
        "LAMBDA_TASK_ROOT": str(folder),
        "PYTHONPATH": str(folder),
    }
    return ExecutionEnvironment([sys.executable], "fn.handler", variables, folder / "fn.log")


Start = Callable[[str], ExecutionEnvironment]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started = []

    def _start(code: str) -> ExecutionEnvironment:
        started.append(environment_of(tmp_path, code))
        return started[-1]

    yield _start
    for environment in started:
        environment.kill()


@pytest.fixture(scope="module", params=["compiled client", "its stand-in"])
def evaluating(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """An environment with awslambdaric as it is on Linux, and one as it is elsewhere."""
    folder = tmp_path_factory.mktemp("fn")
    if request.param == "its stand-in":
        (folder / "sitecustomize.py").write_text(COMPILED_CLIENT_MISSING)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_PROFILE", "developer")
        patch.setenv("DATABASE_URL", "postgresql://elsewhere")
        environment = environment_of(folder, EVALUATES)
    yield environment, folder
    environment.kill()


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("context.aws_request_id", "request-1"),
        ("context.invoked_function_arn", ARN),
        ("[context.function_name, context.memory_limit_in_mb]", ["processor", "512"]),
        ("20_000 < context.get_remaining_time_in_millis() <= 30_000", True),
        ("'ä' * 3_000_000", "ä" * 3_000_000),
        (f"len('{'ä' * 3_000_000}')", 3_000_000),
        ("sys.stdin.read()", ""),
        ("os.getcwd() == os.environ['PYTHONPATH']", True),
        ("[path for path in sys.path if path.endswith('local/cloud')]", []),
        ("[name for name in os.environ if name in ('AWS_PROFILE', 'DATABASE_URL')]", []),
    ],
    ids=lambda value: str(value)[:20],
)
def test_the_handler_gets_event_and_context_and_nothing_of_the_user_s(
    evaluating: tuple[ExecutionEnvironment, Path], expression: str, expected: object
) -> None:
    result = evaluating[0].invoke(invocation(expression))
    assert (result.kind, result.payload) == ("response", expected)


def test_what_the_function_prints_and_its_errors_go_to_its_log(
    evaluating: tuple[ExecutionEnvironment, Path],
) -> None:
    environment, folder = evaluating
    result = environment.invoke(invocation("[][1]"))
    assert (result.kind, result.payload["errorType"]) == ("error", "IndexError")
    written = "[print('printed'), os.write(1, b'by a library'), print('told', file=sys.stderr)]"
    environment.invoke(invocation(written))
    log = (folder / "fn.log").read_text()
    assert [
        word for word in ("at init", "printed", "by a library", "told", "IndexError: list") if word not in log
    ] == []


@pytest.mark.parametrize(
    ("code", "kind", "message"),
    [
        ("import not_installed", "init_error", "No module named 'not_installed'"),
        ("raise RuntimeError('no settings')", "init_error", "no settings"),
        ("other = 1", "init_error", "Handler 'handler' missing on module 'fn'"),
        ("import sys; sys.exit(3)", "exit", "the runtime has exited"),
        ("import os; os._exit(3)", "exit", "the runtime has exited"),
    ],
)
def test_an_error_at_init_is_told_and_ends_it(start: Start, code: str, kind: str, message: str) -> None:
    environment = start(code)
    result = environment.invoke(invocation(None))
    assert result.kind == kind
    assert message in result.payload["errorMessage"]
    assert not environment.alive


def test_a_process_that_died_in_between_is_told(start: Start) -> None:
    environment = start(EVALUATES)
    environment.invoke(invocation("threading.Timer(0.05, os._exit, [9]).start()"))
    deadline = time.monotonic() + 10
    while environment.alive and time.monotonic() < deadline:
        time.sleep(0.01)
    assert environment.invoke(invocation("1")).kind == "exit"


STARTS_A_CHILD = (
    "[open({pid!r}, 'w').write(str(subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)']).pid)),"
    " time.sleep(60)]"
)


def test_a_timeout_kills_the_process_and_what_it_started(start: Start, tmp_path: Path) -> None:
    environment = start(EVALUATES)
    environment.invoke(invocation("1"))
    result = environment.invoke(invocation(STARTS_A_CHILD.format(pid=str(tmp_path / "pid")), 2))
    assert (result.kind, result.payload["errorMessage"]) == ("timeout", "Task timed out")
    assert not environment.alive
    assert eventually_gone(int((tmp_path / "pid").read_text()))


def test_it_ends_with_its_parent_in_the_middle_of_an_invocation(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; sys.path.insert(0, {root!r})\n"
        "from tests.unit.local.cloud.test_execution import EVALUATES, environment_of, invocation\n"
        "environment_of(Path({folder!r}), EVALUATES).invoke(invocation({expression!r}, 60))\n"
    ).format(
        root=str(Path(__file__).parents[4]),
        folder=str(tmp_path),
        expression=STARTS_A_CHILD.format(pid=str(tmp_path / "pid")),
    )
    parent = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
    deadline = time.monotonic() + 60
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    assert eventually_gone(int((tmp_path / "pid").read_text()))
