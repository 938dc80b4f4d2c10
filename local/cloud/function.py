"""A function: its execution environments, one per invocation at a time, kept warm in between."""

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from local.cloud.execution import ExecutionEnvironment, FunctionError, InitError, Invocation

_MAX_AGE_SECONDS = 1800.0
"""Younger than the credentials of an execution environment, which live for an hour."""


@dataclass(frozen=True, slots=True)
class Failure:
    """An invocation that has failed, and what it was about."""

    event: object
    error: FunctionError


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
    _busy: set[int] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _all: dict[int, ExecutionEnvironment] = field(default_factory=dict)
    _closed: bool = False

    def invoke(self, invocation: Invocation) -> object:
        """Run an invocation.

        Raises
        ------
        FunctionError
            If it fails; it is also remembered.
        """
        try:
            environment = self._lease(invocation.function_arn)
            try:
                return environment.invoke(invocation)
            finally:
                self._release(environment)
        except FunctionError as error:
            self.failures.append(Failure(invocation.event, error))
            raise

    def close(self) -> None:
        """Kill all execution environments, and start no more."""
        with self._lock:
            self._closed = True
            environments, self._all = list(self._all.values()), {}
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
                raise InitError("Runtime.ExitError", "the local cloud is stopping")
            self._all[id(environment)] = environment
        return environment

    def _release(self, environment: ExecutionEnvironment) -> None:
        with self._lock:
            if environment.alive and not self._closed:
                self._idle.append(environment)
            else:
                self._discard(environment)

    def _discard(self, environment: ExecutionEnvironment) -> None:
        self._all.pop(id(environment), None)
        environment.kill()
