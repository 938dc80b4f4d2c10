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

from local.cloud.execution import (
    ExecutionEnvironment,
    HandlerError,
    InitError,
    Invocation,
    TimedOutError,
)
from tests.unit.local.cloud.test_processes import eventually_gone

VARIABLES = {
    "AWS_LAMBDA_FUNCTION_NAME": "processor",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "512",
    "AWS_LAMBDA_LOG_GROUP_NAME": "/aws/lambda/processor",
}
ARN = "arn:aws:lambda:us-east-1:000000000000:function:processor"

Start = Callable[[str], ExecutionEnvironment]


def event(value: Any = None, seconds: float = 30) -> Invocation:  # noqa: ANN401 - JSON
    return Invocation(value, "request-1", ARN, time.time() + seconds)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    started = []

    def _start(code: str) -> ExecutionEnvironment:
        (tmp_path / "fn.py").write_text(textwrap.dedent(code))
        environment = ExecutionEnvironment(
            Path(sys.executable), [tmp_path], "fn.handler", VARIABLES, tmp_path / "fn.log"
        )
        started.append(environment)
        return environment

    yield _start
    for environment in started:
        environment.kill()


def test_the_handler_gets_the_event_and_a_context(start: Start) -> None:
    environment = start("""
        def handler(event, context):
            return [event, context.aws_request_id, context.function_name, context.memory_limit_in_mb,
                    context.invoked_function_arn, context.get_remaining_time_in_millis()]
    """)
    *answer, remaining = environment.invoke(event({"key": "ä"}, 20))
    assert answer == [{"key": "ä"}, "request-1", "processor", "512", ARN]
    assert 10_000 < remaining <= 20_000


def test_a_process_is_kept_for_the_next_invocation(start: Start) -> None:
    environment = start("""
        import os
        calls = []
        def handler(event, context):
            calls.append(event)
            return [os.getpid(), len(calls)]
    """)
    first, second = environment.invoke(event()), environment.invoke(event())
    assert first[0] == second[0]
    assert (first[1], second[1]) == (1, 2)


def test_a_large_event_and_answer_pass(start: Start) -> None:
    environment = start("def handler(event, context): return event")
    large = "x" * 3_000_000
    assert environment.invoke(event(large)) == large


def test_what_the_function_prints_goes_to_its_log(start: Start, tmp_path: Path) -> None:
    environment = start("""
        import os, sys
        print("at init")
        def handler(event, context):
            print("from print")
            os.write(1, b"from a library\\n")
            print("from stderr", file=sys.stderr)
            return sys.stdin.read()
    """)
    assert environment.invoke(event()) == ""
    log = (tmp_path / "fn.log").read_text()
    assert [word in log for word in ("at init", "from print", "from a library", "from stderr")] == [True] * 4


def test_a_handler_s_error_is_told_and_the_process_kept(start: Start, tmp_path: Path) -> None:
    environment = start("""
        def handler(event, context):
            if event == "fail":
                raise ValueError("no such thing")
            return "fine"
    """)
    with pytest.raises(HandlerError, match="ValueError: no such thing"):
        environment.invoke(event("fail"))
    assert environment.invoke(event()) == "fine"
    assert "no such thing" in (tmp_path / "fn.log").read_text()


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("import not_installed", "ModuleNotFoundError: No module named 'not_installed'"),
        ("raise RuntimeError('no settings')", "RuntimeError: no settings"),
        ("other = 1", "AttributeError"),
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("import os; os._exit(3)", "Runtime.ExitError: the process ended unexpectedly"),
    ],
)
def test_an_error_at_init_is_told(start: Start, code: str, message: str) -> None:
    with pytest.raises(InitError, match=message):
        start(code)


def test_a_process_that_dies_is_told(start: Start) -> None:
    environment = start("""
        import os
        def handler(event, context):
            os._exit(9)
    """)
    with pytest.raises(HandlerError, match=r"Runtime\.ExitError"):
        environment.invoke(event())
    assert not environment.alive


def test_a_process_that_died_in_between_is_told(start: Start) -> None:
    environment = start("""
        import os, threading
        def handler(event, context):
            threading.Timer(0.05, os._exit, [9]).start()
    """)
    environment.invoke(event())
    deadline = time.monotonic() + 10
    while environment.alive and time.monotonic() < deadline:
        time.sleep(0.01)
    with pytest.raises(HandlerError, match=r"Runtime\.ExitError"):
        environment.invoke(event())


def test_a_timeout_kills_the_process_and_what_it_started(start: Start, tmp_path: Path) -> None:
    environment = start("""
        import subprocess, sys, time
        def handler(event, context):
            child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
            open(event, "w").write(str(child.pid))
            time.sleep(60)
    """)
    started = time.monotonic()
    with pytest.raises(TimedOutError, match="Task timed out"):
        environment.invoke(event(str(tmp_path / "pid"), 2))
    assert time.monotonic() - started < 10
    assert not environment.alive
    assert eventually_gone(int((tmp_path / "pid").read_text()))


def test_the_environment_has_the_function_s_variables_and_no_others(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "developer")
    monkeypatch.setenv("DATABASE_URL", "postgresql://elsewhere")
    environment = start("""
        import os
        def handler(event, context):
            return sorted(os.environ)
    """)
    assert set(environment.invoke(event())) - {"LC_CTYPE"} == {*VARIABLES, "PYTHONPATH", "PYTHONUNBUFFERED"}


def test_modules_beside_the_host_do_not_shadow_the_function_s(start: Start) -> None:
    environment = start("""
        import sys
        def handler(event, context):
            return [path for path in sys.path if path.endswith("local/cloud")]
    """)
    assert environment.invoke(event()) == []


def test_it_ends_with_its_parent_in_the_middle_of_an_invocation(tmp_path: Path) -> None:
    (tmp_path / "fn.py").write_text(
        "import os, time\n"
        "def handler(event, context):\n"
        "    open(event, 'w').write(str(os.getpid()))\n"
        "    time.sleep(60)\n"
    )
    code = (
        "import sys, time; from pathlib import Path\n"
        "from local.cloud.execution import ExecutionEnvironment, Invocation\n"
        f"folder = Path({str(tmp_path)!r})\n"
        f"e = ExecutionEnvironment(Path(sys.executable), [folder], 'fn.handler', {VARIABLES!r}, folder / 'log')\n"
        "e.invoke(Invocation(str(folder / 'pid'), 'r', 'a', time.time() + 60))\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], env=os.environ)
    deadline = time.monotonic() + 20
    while not ((tmp_path / "pid").exists() and (tmp_path / "pid").read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    assert eventually_gone(int((tmp_path / "pid").read_text()))
