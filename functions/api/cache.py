"""Answers kept in the process. None is given again unless the database has said that it is still right.

What says so is the customer's revision (`logstats.models.Customer`): every commit that touches the customer changes
it in the same transaction, and it never returns to an earlier value.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Coroutine
from functools import partial
from typing import Any, Protocol

from api.database import Database, Row
from api.statements import REVISIONS
from api.statistics import Answer, Question, Statistics

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


class Kept:
    """The answers given last, within a number of bytes; the one unused for longest goes first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._answers: OrderedDict[Question, Answer] = OrderedDict()
        self.bytes = 0

    def get(self, question: Question) -> Answer | None:
        """Return the answer kept for a question."""
        answer = self._answers.get(question)
        if answer is not None:
            self._answers.move_to_end(question)
        return answer

    def keep(self, question: Question, answer: Answer) -> None:
        """Keep an answer in the place of the one kept for its question.

        One without statistics is not kept: it costs as little to read as its revision, and anybody can ask for
        customers that do not exist.
        """
        self._forget(self._answers.pop(question, None))
        size = _size(answer)
        if answer.revision is None or size * LARGEST_SHARE > self._max_bytes:
            return
        self._answers[question] = answer
        self.bytes += size
        while self.bytes > self._max_bytes:
            self._forget(self._answers.popitem(last=False)[1])

    def _forget(self, answer: Answer | None) -> None:
        if answer is not None:
            self.bytes -= _size(answer)


def _size(answer: Answer) -> int:
    return len(answer.body) + OVERHEAD_BYTES


class Cached:
    """Answers questions from what is kept, if that is still right, or else from the database."""

    def __init__(self, statistics: Statistics, database: Database, max_bytes: int) -> None:
        self._statistics = statistics
        self._database = database
        self._revisions = Revisions(database.fetch)
        self._kept = Kept(max_bytes)

    async def answer(self, question: Question) -> Answer:
        """Return the statistics as they were at some moment after the call.

        Raises
        ------
        DatabaseAwayError
            If the database does not answer in time.
        """
        deadline = self._database.deadline()
        kept = self._kept.get(question)
        if kept is not None and kept.revision == await self._revisions.current(
            question.customer_id, deadline
        ):
            return kept
        answer = await self._statistics.answer(question, deadline)
        self._kept.keep(question, answer)
        return answer
