"""The time a function has: what cannot be done in it is stopped before it is cut off."""

import math
import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from dataclasses import dataclass
from threading import TIMEOUT_MAX, Thread
from typing import TypeVar

T = TypeVar("T")

_RESERVE_SECONDS = 5.0
"""Kept back for ending what still waits (`processor.ledger.connection`), rolling back, logging and answering."""


class DeadlineError(Exception):
    """The time is up. Unless its COMMIT went through, nothing counts; the next delivery finds out."""

    def __init__(self, reason: str = "the function's time is up; the next delivery starts again") -> None:
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a function must be done: `at`, on the clock of `time.monotonic()`, `whole` seconds after its start."""

    at: float
    whole: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the deadline of a function that has just been started, and is cut off in so many seconds."""
        whole = seconds - _RESERVE_SECONDS
        return cls(time.monotonic() + whole, whole)

    def remaining(self) -> float:
        """Return the remaining seconds; 0 when the time is up, and never more than a lock can wait."""
        return min(max(0.0, self.at - time.monotonic()), TIMEOUT_MAX)

    def check(self) -> None:
        """Raise a `DeadlineError` if the time is up."""
        if not self.remaining():
            raise DeadlineError

    def run_within(self, call: Callable[[], T], undo: Callable[[], object] = lambda: None) -> T:
        """Return what a call returns; a `DeadlineError` if the time is up first.

        The call runs in a thread, which goes on by itself if nobody waits for it any more, and then calls `undo`;
        without a limit, in this one.
        """
        if self.at == math.inf:
            return call()
        self.check()
        answer: Future[T] = Future()

        def run() -> None:
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - raised again by the one who waits
                if answer.set_running_or_notify_cancel():
                    answer.set_exception(error)
                return
            if answer.set_running_or_notify_cancel():
                answer.set_result(result)
            else:
                undo()

        Thread(target=copy_context().run, args=(run,), name="bounded", daemon=True).start()
        if not wait([answer], self.remaining()).done and answer.cancel():
            raise DeadlineError
        return answer.result()


NEVER = Deadline(math.inf, math.inf)
"""The deadline of what nobody cuts off."""
