"""Rendered answers cached in the process. None is given again unless the database has said that it is still right.

What says so is the customer's revision (`logstats.models.Customer`): every commit that touches the customer changes
it in the same transaction, and it never returns to an earlier value.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field

from api.reader import Reader
from api.statements import REVISIONS
from api.statistics import RenderedAnswer, Statistics, StatisticsQuery

OVERHEAD_BYTES = 2_048
"""Bytes that caching an answer takes beside its body, generously."""

LARGEST_SHARE = 8
"""No answer takes more than this fraction of the space: one long range must not drive out all the others."""


@dataclass(slots=True)
class _Batch:
    """Customers whose revisions one statement is going to read."""

    revisions: asyncio.Task[dict[str, int]]
    deadline: float
    customers: set[str] = field(default_factory=set)


class Revisions:
    """The customers' revisions as they are now, read for many requests at a time.

    Requests share a statement that begins after each of them has arrived, so each of them sees every commit that
    was finished before. A request that arrives while a statement is under way waits for the next one: the snapshot
    of this one may be older than the request.
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._reading = asyncio.Lock()
        self._next: _Batch | None = None

    async def current(self, customer_id: str, deadline: float) -> int | None:
        """Return a customer's revision; None for a customer without statistics.

        Raises
        ------
        DatabaseUnavailableError
            If the database has not answered by the deadline (of the event loop's clock).
        """
        if self._next is None:  # the task begins with the loop's next turn: who arrives together shares it
            self._next = _Batch(asyncio.create_task(self._read()), deadline)
        batch = self._next
        batch.customers.add(customer_id)
        return (await asyncio.shield(batch.revisions)).get(customer_id)  # others go on when one gives up

    async def _read(self) -> dict[str, int]:
        """Read the revisions of all who have arrived when the statement before has ended."""
        async with self._reading:
            batch, self._next = self._next, None
            assert batch is not None  # noqa: S101 - it holds this task, and only this task takes it
            rows = await self._reader.rows(
                REVISIONS, {"customers": list(batch.customers)}, deadline=batch.deadline
            )
        return dict(map(tuple, rows))


class LRUCache:
    """The answers used last, within a number of bytes; the one unused for longest goes first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._answers: OrderedDict[Hashable, RenderedAnswer] = OrderedDict()
        self.bytes = 0

    def get(self, query: Hashable) -> RenderedAnswer | None:
        """Return the cached answer to a query."""
        answer = self._answers.get(query)
        if answer is not None:
            self._answers.move_to_end(query)
        return answer

    def put(self, query: Hashable, answer: RenderedAnswer) -> None:
        """Cache an answer in the place of the one cached for its query.

        One without statistics is not cached: it costs as little to read as its revision, and anybody can ask for
        customers that do not exist.
        """
        if query in self._answers:
            self.bytes -= _size(self._answers.pop(query))
        size = _size(answer)
        if answer.revision is None or size * LARGEST_SHARE > self._max_bytes:
            return
        self._answers[query] = answer
        self.bytes += size
        while self.bytes > self._max_bytes:
            self.bytes -= _size(self._answers.popitem(last=False)[1])


def _size(answer: RenderedAnswer) -> int:
    return len(answer.body) + OVERHEAD_BYTES


class CachedStatistics:
    """Answers queries from the cache, if the cached answer is still right, or else from the database."""

    def __init__(self, reader: Reader, cache: LRUCache) -> None:
        self._statistics = Statistics(reader)
        self._reader = reader
        self._revisions = Revisions(reader)
        self._cache = cache

    async def answer(self, query: StatisticsQuery) -> RenderedAnswer:
        """Return the statistics as they were at some moment after the call.

        Raises
        ------
        DatabaseUnavailableError
            If the database does not answer in time.
        """
        deadline = self._reader.deadline()
        cached = self._cache.get(query)
        if cached is not None and cached.revision == await self._revisions.current(
            query.customer_id, deadline
        ):
            return cached
        answer = await self._statistics.answer(query, deadline)
        self._cache.put(query, answer)
        return answer
