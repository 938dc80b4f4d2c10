"""The errors of a flow's workers, for whoever runs the flow."""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock, current_thread, main_thread


class WorkerErrors:
    """Keeps the first error. Shared by the partitions and sinks of one flow, on any thread.

    An exception that leaves a Bytewax callback makes its runtime panic, with a backtrace on stderr. So
    partitions and sinks report it here and finish early; the caller raises it when the flow has returned.
    """

    def __init__(self) -> None:
        self.error: BaseException | None = None
        self._lock = RLock()  # an interrupt may come while the main thread holds it

    def fail(self, error: BaseException) -> None:
        """Keep the first error."""
        with self._lock:
            self.error = self.error or error

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        """Let Ctrl-C end the flow as an error does: raised in a callback, it would be a panic.

        A second one is raised where it comes, for what is stuck. Other handlers than Python's own are left alone.
        """
        usual = signal.default_int_handler
        if current_thread() is not main_thread() or signal.getsignal(signal.SIGINT) is not usual:
            yield
            return

        def take(_number: int, _frame: object) -> None:
            self.fail(KeyboardInterrupt())
            signal.signal(signal.SIGINT, usual)

        signal.signal(signal.SIGINT, take)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, usual)
