"""Ending a command: whoever stops it, what it started is stopped too."""

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

_STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stopped_by_exception() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise `KeyboardInterrupt`, as Ctrl-C does, so that `finally` blocks run.

    A SIGHUP becomes a SIGTERM first, so that a server within, which knows only that one, ends too.
    """
    with _handling(signal.default_int_handler):
        if signal.getsignal(signal.SIGHUP) is signal.default_int_handler:
            signal.signal(signal.SIGHUP, lambda _number, _frame: signal.raise_signal(signal.SIGTERM))
        yield


@contextmanager
def deferred() -> Iterator[None]:
    """Hold Ctrl-C, SIGTERM and SIGHUP back until the end of the block: what is begun gets an owner."""
    received: list[int] = []
    try:
        with _handling(lambda number, _frame: received.append(number)):
            yield
    finally:
        if received:
            signal.raise_signal(received[0])


@contextmanager
def noticed(tell: Callable[[], object] = lambda: None) -> Iterator[list[int]]:
    """Yield a list to which each Ctrl-C, SIGTERM or SIGHUP is added; the first calls `tell`, others raise `KeyboardInterrupt`.

    Who looks at the list ends what is at hand after the first, and begins nothing new.
    """
    received: list[int] = []

    def note(number: int, _frame: object) -> None:
        received.append(number)
        if len(received) > 1:
            raise KeyboardInterrupt
        tell()

    with _handling(note):
        yield received


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore Ctrl-C, SIGTERM and SIGHUP, here and in processes started here: this is the cleaning up."""
    with _handling(signal.SIG_IGN):
        yield


@contextmanager
def _handling(handler: Any) -> Iterator[None]:  # noqa: ANN401 - a function or one of signal's constants
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread receives signals, or may choose what they do
        return
    told = list(_STOPPING)
    if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN:  # `nohup` has it ignored, as its caller wants
        told.remove(signal.SIGHUP)
    previous = {number: signal.signal(number, handler) for number in told}
    try:
        yield
    finally:
        for number, before in previous.items():
            signal.signal(number, before)
