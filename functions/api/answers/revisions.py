"""One revision of all data: the name of everything that the statistics of all customers say at a moment.

It is a hash of all customers with their revisions. Every commit that changes a customer's statistics gives it a revision that
no customer has ever had, in the same transaction; so equal sets of these pairs mean equal statistics. The largest revision would not do: commits that share no customer become visible in any order, so the larger of two
may be visible while the smaller is not (docs/decisions/0018).
"""

import asyncio
from dataclasses import dataclass, field

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from api.database.reader import Reader
from logstats.models import Customer, CustomerId

_PAIR = sa.func.hashtextextended(Customer.customer_id, Customer.revision)
REVISION = sa.select(sa.func.coalesce(sa.func.bit_xor(_PAIR), 0).label("revision"))
"""The hash: 64 bits, the same in whatever order the customers are read."""


REVISIONS = sa.select(Customer.customer_id, Customer.revision).where(
    Customer.customer_id == sa.any_(sa.bindparam("customers", type_=sa.ARRAY(CustomerId)))
)
"""The revisions of customers; a customer without statistics has no row."""


async def revision_of_all(connection: AsyncConnection) -> str:
    """Return the revision of all data, as a snapshot sees it."""
    return f"{(await connection.execute(REVISION)).scalar_one() & ((1 << 64) - 1):x}"


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
