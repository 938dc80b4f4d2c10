"""Answers kept in the process. None is given again unless the database has said that it is still right.

What says so is the customer's revision (`logstats.models.Customer`): every commit that touches the customer changes
it in the same transaction, and it never returns to an earlier value.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine, Hashable
from functools import partial
from typing import Any, Generic, Protocol, TypeVar

from api.database import Row
from api.statements import REVISIONS

Key = TypeVar("Key", bound=Hashable)
Answer = TypeVar("Answer")

OVERHEAD_BYTES = 2_048
"""What keeping an answer takes beside its body, generously."""

LARGEST_SHARE = 8
"""No answer takes more than this fraction of the space: one long range must not drive out all the others."""


class Fetch(Protocol):
    """`api.database.Database.fetch`."""

    def __call__(
        self, statement: str, /, *arguments: object, deadline: float
    ) -> Coroutine[Any, Any, list[Row]]:
        """Return a statement's rows by a deadline, in seconds of the event loop's clock."""


class Revisions:
    """The customers' revisions as they are now, read for many requests at a time.

    Requests share a statement that begins after each of them has arrived, so each of them sees every commit that
    was finished before. A request that arrives while a statement is under way waits for the next one: the snapshot
    of this one may be older than the request.
    """

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._arrived: list[tuple[str, float, asyncio.Future[int | None]]] = []
        self._busy = False
        self._asking: asyncio.Task[list[Row]] | None = None

    def current(self, customer_id: str, deadline: float) -> "asyncio.Future[int | None]":
        """Return a customer's revision, None for a customer without statistics, in the future.

        Raises
        ------
        DatabaseAwayError
            When awaited, if the database has not told by the deadline (of the event loop's clock).
        """
        loop = asyncio.get_running_loop()
        told: asyncio.Future[int | None] = loop.create_future()
        self._arrived.append((customer_id, deadline, told))
        if not self._busy:
            self._busy = True
            loop.call_soon(self._ask)  # not at once: requests that have arrived together share it
        return told

    def _ask(self) -> None:
        asked, self._arrived = self._arrived, []
        customers = list({customer_id for customer_id, _, _ in asked})
        earliest = asked[0][1]
        self._asking = asyncio.get_running_loop().create_task(
            self._fetch(REVISIONS, customers, deadline=earliest)
        )
        self._asking.add_done_callback(partial(self._tell, asked))

    def _tell(
        self,
        asked: "list[tuple[str, float, asyncio.Future[int | None]]]",
        answered: "asyncio.Task[list[Row]]",
    ) -> None:
        self._asking = None
        failed = None if answered.cancelled() else answered.exception()
        revisions = {} if answered.cancelled() or failed else dict(map(tuple, answered.result()))
        for customer_id, _, told in asked:
            if told.done():  # its request has been given up
                continue
            if answered.cancelled():
                told.cancel()
            elif failed:
                told.set_exception(failed)
            else:
                told.set_result(revisions.get(customer_id))
        if self._arrived:
            self._ask()
        else:
            self._busy = False


class Kept(Generic[Key, Answer]):
    """The answers given last, within a number of bytes; the one unused for longest goes first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._answers: OrderedDict[Key, tuple[Answer, int]] = OrderedDict()
        self.bytes = 0

    def get(self, key: Key) -> Answer | None:
        """Return what is kept under a key."""
        found = self._answers.get(key)
        if found is None:
            return None
        self._answers.move_to_end(key)
        return found[0]

    def keep(self, key: Key, answer: Answer, body_bytes: int) -> None:
        """Keep an answer instead of the one kept under its key."""
        self.drop(key)
        size = body_bytes + OVERHEAD_BYTES
        if size * LARGEST_SHARE > self._max_bytes:
            return
        self._answers[key] = (answer, size)
        self.bytes += size
        while self.bytes > self._max_bytes:
            self.bytes -= self._answers.popitem(last=False)[1][1]

    def drop(self, key: Key) -> None:
        """Forget what is kept under a key."""
        _, size = self._answers.pop(key, (None, 0))
        self.bytes -= size
