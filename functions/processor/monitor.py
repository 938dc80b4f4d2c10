"""What the workers of a flow tell their caller: progress, and the first error."""

from collections.abc import Callable
from threading import Lock

Progress = Callable[[int], None]


class Monitor:
    """Shared by the partitions and sinks of one flow, on any thread.

    An exception that leaves a Bytewax callback makes its runtime panic, with a backtrace on stderr. So
    partitions and sinks report it here and finish early; the caller raises it when the flow has returned.

    Parameters
    ----------
    progress
        Called with the number of bytes just read; the last one is rounded up.
    """

    def __init__(self, progress: Progress = lambda _: None) -> None:
        self.progress = progress
        self.error: Exception | None = None
        self._lock = Lock()

    def fail(self, error: Exception) -> None:
        """Keep the first error."""
        with self._lock:
            self.error = self.error or error
