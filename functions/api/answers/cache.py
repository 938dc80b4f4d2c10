"""Rendered answers cached in the process. None is given again unless the database has said that it is still right.

What says so is the customer's revision (`logstats.models.Customer`): every commit that touches the customer changes
it in the same transaction, and it never returns to an earlier value.
"""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Protocol

from sqlalchemy.ext.asyncio import AsyncConnection

from api.answers.negotiation import matches
from api.answers.representation import Format, RenderedAnswer, etag
from api.database.reader import Reader, begin_snapshot

OVERHEAD_BYTES = 2_048
"""Bytes that caching an answer takes beside its body, generously."""

LARGEST_SHARE = 8
"""No answer takes more than this fraction of the space: one long range must not drive out all the others."""


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


class Query(Protocol):
    """A question about all customers, which equals another that has the same answer."""

    def __hash__(self) -> int: ...

    @property
    def form(self) -> Format:
        """How the answer is written."""

    async def revision(self, connection: AsyncConnection) -> str:
        """Return the revision of all that the answer depends on."""

    async def answer(self, connection: AsyncConnection, revision: str) -> RenderedAnswer:
        """Return the rendered answer, which has this revision."""


class CachedAnswers:
    """Answers queries from the cache, if the database says that the cached answer is still right, or else anew."""

    def __init__(self, reader: Reader, cache: LRUCache) -> None:
        self._reader = reader
        self._cache = cache

    async def answer(self, query: Query, if_none_match: str | None) -> tuple[str, RenderedAnswer | None]:
        """Return the entity tag of the answer as it is at some moment after the call, and the answer.

        Without the answer if the request's `If-None-Match` names the tag.

        Raises
        ------
        DatabaseUnavailableError
            If the database does not answer in time.
        """

        async def read(connection: AsyncConnection) -> tuple[str, RenderedAnswer | None]:
            await begin_snapshot(connection)
            revision = await query.revision(connection)
            tag = etag(revision, query.form)
            if matches(if_none_match, tag):
                return tag, None
            cached = self._cache.get(query)
            if cached is None or cached.revision != revision:
                cached = await query.answer(connection, revision)
                self._cache.put(query, cached)
            return tag, cached

        return await self._reader.run(read)
