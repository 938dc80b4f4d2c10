"""Execution environments: child processes that run a handler with nothing but its own packages."""

import json
import os
import select
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from local.cloud.processes import Child

HOST = Path(__file__).with_name("function_host.py")
_INIT_SECONDS = 60.0


class FunctionError(Exception):
    """An invocation has failed, in the form that Lambda reports it."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(f"{kind}: {message}" if kind else message)
        self.kind, self.message = kind, message


class InitError(FunctionError):
    """The handler cannot be imported."""


class HandlerError(FunctionError):
    """The handler has raised, or its process has died."""


class TimedOutError(FunctionError):
    """The handler took longer than the function's timeout; its process was killed."""


@dataclass(frozen=True, slots=True)
class Invocation:
    """What a handler is called with. `deadline` is a Unix time."""

    event: Any
    request_id: str
    function_arn: str
    deadline: float


@dataclass
class ExecutionEnvironment:
    """One child process, for one invocation at a time.

    Attributes
    ----------
    interpreter
        The Python of the environment with the function's packages.
    path
        The folders of its own code.
    handler
        ``module.function``.
    variables
        All of its environment variables, but the search path.
    log
        The file that its output is appended to.
    """

    interpreter: Path
    path: Sequence[Path]
    handler: str
    variables: Mapping[str, str]
    log: Path
    started: float = field(default_factory=time.monotonic, init=False)
    _child: Child = field(init=False)
    _unread: bytes = field(default=b"", init=False)

    def __post_init__(self) -> None:
        """Start the process, and import the handler.

        Raises
        ------
        InitError
            If that fails.
        """
        search = os.pathsep.join(map(str, self.path))
        environment = {**self.variables, "PYTHONPATH": search, "PYTHONUNBUFFERED": "1"}
        command = [str(self.interpreter), "-P", str(HOST), self.handler]
        self._child = Child(command, environment, self.log, talks=True)
        try:
            answer = self._answer(time.time() + _INIT_SECONDS)
        except FunctionError as error:
            self.kill()
            raise InitError(error.kind, error.message) from None
        except BaseException:
            self.kill()
            raise
        if "init_error" in answer:
            self.kill()
            raise InitError(answer["init_error"]["errorType"], answer["init_error"]["errorMessage"])

    @property
    def alive(self) -> bool:
        """Whether it can be invoked again."""
        return self._child.exit_code is None

    def invoke(self, invocation: Invocation) -> Any:  # noqa: ANN401 - whatever the handler returns
        """Call the handler.

        Raises
        ------
        HandlerError
            If it raises, or its process dies.
        TimedOutError
            If it takes too long. It cannot be invoked again.
        """
        request = {
            "event": invocation.event,
            "request_id": invocation.request_id,
            "function_arn": invocation.function_arn,
            "deadline": invocation.deadline,
        }
        try:
            self._child.requests.write(json.dumps(request).encode() + b"\n")
            answer = self._answer(invocation.deadline)
        except (OSError, ValueError):  # broken pipe; or another thread has killed it and closed the streams
            if self.alive:
                raise
            self.kill()
            raise HandlerError("Runtime.ExitError", "the process had ended") from None
        except FunctionError:
            self.kill()
            raise
        if "error" in answer:
            raise HandlerError(answer["error"]["errorType"], answer["error"]["errorMessage"])
        return answer["result"]

    def kill(self) -> None:
        """End the process at once."""
        self._child.kill()

    def _answer(self, deadline: float) -> dict[str, Any]:
        """Read the next line of the child, until a Unix time."""
        stream = self._child.answers
        while b"\n" not in self._unread:
            readable, _, _ = select.select([stream], [], [], max(0.0, deadline - time.time()))
            if not readable:
                raise TimedOutError("Sandbox.Timedout", "Task timed out")
            chunk = os.read(stream.fileno(), 1 << 16)
            if not chunk:
                raise HandlerError("Runtime.ExitError", "the process ended unexpectedly")
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        answer: dict[str, Any] = json.loads(line)
        return answer
