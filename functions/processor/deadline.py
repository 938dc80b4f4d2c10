"""The time a function has left: what cannot be done in it is not begun, or is stopped before it is cut off."""

import time
from collections.abc import Callable
from concurrent.futures import Future, wait
from contextvars import copy_context
from dataclasses import dataclass
from threading import Thread
from typing import TypeVar

from processor.reading.objects import LogObject, SourceError, is_gzip

T = TypeVar("T")

BYTES_PER_SECOND = 30_000_000
"""What an ingest surely reads per second and core, of stored bytes; see docs/guarantees.md."""
GZIP_BYTES_PER_SECOND = 5_000_000
"""The same for compressed objects, which one core reads; they grow about eight times."""

_TO_SETTLE = 5.0
"""Seconds kept back for ending what still waits (`processor.ledger.connection`), rolling back, logging and answering."""


class TooLargeError(SourceError):
    """The object needs more time than the function has; trying again does not help."""


class DeadlineError(Exception):
    """The time is up. Unless its COMMIT went through, nothing counts; the next delivery finds out."""

    def __init__(self, reason: str = "the function's time is up; the next delivery starts again") -> None:
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Deadline:
    """When a function must be done.

    Attributes
    ----------
    at
        On the clock of `time.monotonic()`.
    whole
        Seconds from the function's start to the deadline.
    """

    at: float
    whole: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """Return the deadline of a function that has just been started, and is cut off in so many seconds."""
        whole = seconds - _TO_SETTLE
        return cls(time.monotonic() + whole, whole)

    def left(self) -> float:
        """Return the seconds left; 0 when the time is up."""
        return max(0.0, self.at - time.monotonic())

    def check(self) -> None:
        """Raise a `DeadlineError` if the time is up."""
        if not self.left():
            raise DeadlineError

    def check_size(self, log: LogObject, cores: int) -> None:
        """Let nothing begin that cannot be read in time, by a conservative estimate.

        Raises
        ------
        TooLargeError
            If the function's whole time would not do.
        DeadlineError
            If only what is left of it is too short.
        """
        speed = GZIP_BYTES_PER_SECOND if is_gzip(log.key) else BYTES_PER_SECOND * cores
        needed = log.size / speed
        if needed > self.whole:
            raise TooLargeError(
                f"{log.size:,} bytes need about {needed:.0f} s, and the function has {max(self.whole, 0):.0f} s;"
                f" ingest it from a machine without a time limit: logstats ingest 's3://{log.bucket}/{log.key}'"
            )
        if needed > self.left():
            raise DeadlineError(
                f"{log.size:,} bytes need about {needed:.0f} s, and only {self.left():.0f} s are left;"
                " the next delivery has more time"
            )

    def bound(self, call: Callable[[], T], undo: Callable[[], object] = lambda: None) -> T:
        """Return what a call returns, but wait for it no longer than the time lasts.

        Parameters
        ----------
        call
            Runs in a thread, which goes on by itself if nobody waits for it any more.
        undo
            Called there after a call that nobody has waited for.

        Raises
        ------
        DeadlineError
            If the time is up first.
        """
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
        if not wait([answer], self.left()).done and answer.cancel():
            raise DeadlineError
        return answer.result()
