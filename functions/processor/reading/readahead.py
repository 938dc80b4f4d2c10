"""Reading ahead: a thread fetches or decompresses the next bytes while the last ones are parsed."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event, Semaphore, Thread
from typing import Generic, TypeVar

from processor.deadline import NEVER, Deadline, DeadlineError
from processor.reading.objects import ByteRange, fill

_FIRST_BYTES = 64 << 10
_MOST_BYTES = 4 << 20
_BLOCKS = 3
"""Blocks that wait or are being filled; with the one being parsed, at most 16 MiB per byte range."""
_PATIENCE_SECONDS = 1.0

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _End:
    error: Exception | None = None


class RunAhead(Generic[T]):
    """An iterator that a thread of its own runs, a few items ahead; it calls `close` when it ends.

    An error is raised where its item would have come. Nobody waits for an item beyond the deadline.
    """

    def __init__(self, items: Iterator[T], close: Callable[[], object], deadline: Deadline = NEVER) -> None:
        self._items, self._close_items, self._deadline = items, close, deadline
        self._ready: Queue[T | _End] = Queue()
        self._room = Semaphore(_BLOCKS)
        self._is_done = False
        self._is_closed = Event()
        self._thread = Thread(target=self._run, name="read-ahead", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        end = _End()
        try:
            while self._room.acquire() and not self._is_closed.is_set():
                self._ready.put(next(self._items))
        except StopIteration:
            pass
        except Exception as error:  # noqa: BLE001 - raised again by `__next__`
            end = _End(error)
        finally:
            self._ready.put(end)
            self._close_items()

    def __iter__(self) -> Iterator[T]:
        """Return itself."""
        return self

    def __next__(self) -> T:
        """Return the next item; a `DeadlineError` if it does not come in time."""
        if self._is_done:
            raise StopIteration
        try:
            item = self._ready.get(timeout=self._deadline.remaining())
        except Empty:
            raise DeadlineError from None
        self._room.release()
        if not isinstance(item, _End):
            return item
        self._is_done = True
        raise item.error or StopIteration

    def close(self) -> None:
        """Let the thread stop after its next item; do not wait long for a hanging connection."""
        self._is_closed.set()
        self._room.release()
        self._thread.join(_PATIENCE_SECONDS)


class ReadAhead:
    """A byte range that is read ahead. Blocks grow from 64 KiB, so that one which is closed early has not fetched much in vain."""

    def __init__(self, source: ByteRange, deadline: Deadline = NEVER) -> None:
        self._blocks = RunAhead(_blocks(source), source.close, deadline)
        self._block = memoryview(b"")

    def readinto(self, buffer: memoryview) -> int:
        """Fill the buffer as far as bytes are there; return how many, 0 at the end."""
        if not self._block:
            self._block = next(self._blocks, self._block)
        count = min(len(buffer), len(self._block))
        buffer[:count] = self._block[:count]
        self._block = self._block[count:]
        return count

    def close(self) -> None:
        """Close the range."""
        self._blocks.close()


def _blocks(source: ByteRange) -> Iterator[memoryview]:
    size = _FIRST_BYTES
    while filled := fill(source, block := memoryview(bytearray(size))):
        yield block[:filled]
        size = min(size * 2, _MOST_BYTES)
