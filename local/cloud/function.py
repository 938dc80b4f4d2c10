"""A function: its execution environments, one per invocation at a time, kept warm in between."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from botocore.exceptions import BotoCoreError, ClientError

from local.cloud.execution import ExecutionEnvironment
from local.cloud.runtime_api import Invocation, Result

_MAX_AGE_SECONDS = 1800.0
"""Younger than the credentials of an execution environment, which live for an hour."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An invocation that has failed: the event, and the error's message."""

    event: object
    message: str


@dataclass
class Function:
    """A function's execution environments: started when an invocation finds none free, then kept warm.

    Attributes
    ----------
    start
        Starts one for the function of an ARN.
    failures
        The last invocations that have failed.
    """

    start: Callable[[str], ExecutionEnvironment]
    failures: deque[Failure] = field(default_factory=lambda: deque(maxlen=100))
    _idle: list[ExecutionEnvironment] = field(default_factory=list)
    _all: set[ExecutionEnvironment] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _closed: bool = False

    def invoke(self, invocation: Invocation) -> Result:
        """Run an invocation; remember it if it fails."""
        try:
            environment = self._lease(invocation.function_arn)
            result = environment.invoke(invocation)
            self._release(environment)
        except (BotoCoreError, ClientError) as error:  # the function or its role is not there
            result = Result.failed("init_error", type(error).__name__, str(error))
        if result.kind != "response":
            self.failures.append(Failure(invocation.event, result.payload["errorMessage"]))
        return result

    def close(self) -> None:
        """Kill all execution environments, and those that are yet to start."""
        with self._lock:
            self._closed = True
            environments, self._all = self._all, set()
        for environment in environments:
            environment.kill()

    def _lease(self, function_arn: str) -> ExecutionEnvironment:
        with self._lock:
            while self._idle:
                environment = self._idle.pop()
                if environment.alive and time.monotonic() - environment.started < _MAX_AGE_SECONDS:
                    return environment
                self._discard(environment)
        environment = self.start(function_arn)
        with self._lock:
            if self._closed:
                environment.kill()
            self._all.add(environment)
        return environment

    def _release(self, environment: ExecutionEnvironment) -> None:
        with self._lock:
            if environment.alive:
                self._idle.append(environment)
            else:
                self._discard(environment)

    def _discard(self, environment: ExecutionEnvironment) -> None:
        self._all.discard(environment)
        environment.kill()
