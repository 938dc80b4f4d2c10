"""Reading ahead: a thread fetches the next bytes while the last ones are parsed."""

from queue import Empty, Queue
from threading import Event, Semaphore, Thread

from processor.deadline import NEVER, Deadline, DeadlineError
from processor.reading.objects import ByteRange, fill

_FIRST_BYTES = 64 << 10
_MOST_BYTES = 4 << 20
_BLOCKS = 3
"""Blocks that wait or are being filled; with the one being parsed, at most 16 MiB per byte range."""
_PATIENCE_SECONDS = 1.0


class ReadAhead:
    """A byte range read by a thread of its own, a bounded distance ahead.

    Blocks grow from 64 KiB, so that a range which is closed early has not fetched much in vain. An error of
    the range is raised where its bytes would have come. Nobody waits for them beyond the deadline.
    """

    def __init__(self, source: ByteRange, deadline: Deadline = NEVER) -> None:
        self._source, self._deadline = source, deadline
        self._blocks: Queue[memoryview | Exception] = Queue()
        self._room = Semaphore(_BLOCKS)
        self._block = memoryview(b"")
        self._is_done = False
        self._is_closed = Event()
        self._thread = Thread(target=self._fetch, name="read-ahead", daemon=True)
        self._thread.start()

    def _fetch(self) -> None:
        size = _FIRST_BYTES
        try:
            while self._room.acquire() and not self._is_closed.is_set():
                block = memoryview(bytearray(size))
                filled = fill(self._source, block)
                self._blocks.put(block[:filled])
                if not filled:
                    break
                size = min(size * 2, _MOST_BYTES)
        except Exception as error:  # noqa: BLE001 - raised again by `readinto`
            self._blocks.put(error)
        finally:
            self._source.close()

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer as far as bytes are there; return how many, 0 at the end."""
        if not self._block and not self._is_done:
            block = self._next()
            if isinstance(block, Exception):
                self._is_done = True
                raise block
            self._block, self._is_done = block, not block
        count = min(len(buffer), len(self._block))
        buffer[:count] = self._block[:count]
        self._block = self._block[count:]
        return count

    def _next(self) -> memoryview | Exception:
        try:
            block = self._blocks.get(timeout=self._deadline.remaining())
        except Empty:
            raise DeadlineError from None
        self._room.release()
        return block

    def close(self) -> None:
        """Let the thread stop after what it reads now; do not wait long for a hanging connection."""
        self._is_closed.set()
        self._room.release()
        self._thread.join(_PATIENCE_SECONDS)
