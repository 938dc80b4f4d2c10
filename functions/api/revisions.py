"""One revision of all data: the name of everything that the statistics of all customers say at a moment.

It is a hash of all customers with their revisions. Every commit that changes a customer's statistics gives it a revision that
no customer has ever had, in the same transaction; so equal sets of these pairs mean equal statistics. The largest revision would not do: commits that share no customer become visible in any order, so the larger of two
may be visible while the smaller is not (docs/decisions/0018).
"""

from typing import Protocol

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from api.cache import LRUCache
from api.negotiation import matches
from api.reader import Reader, begin_snapshot
from api.representation import Format
from api.statistics import RenderedAnswer, etag
from logstats.models import Customer

_PAIR = sa.func.hashtextextended(Customer.customer_id, Customer.revision)
REVISION = sa.select(sa.func.coalesce(sa.func.bit_xor(_PAIR), 0).label("revision"))
"""The hash: 64 bits, the same in whatever order the customers are read."""


async def revision_of_all(connection: AsyncConnection) -> str:
    """Return the revision of all data, as a snapshot sees it."""
    return f"{(await connection.execute(REVISION)).scalar_one() & ((1 << 64) - 1):x}"


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
