"""What is asked of one customer's statistics, and the answer with its validator."""

import datetime as dt
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from api.database import Database
from api.formats import Format, write
from api.periods import Interval, Periods
from api.statements import DAILY_STATISTICS, DAILY_SUMMARIES

FORM = 1
"""The form of the answers; raise it when the same statistics are written differently, so that no client keeps the
old form as still valid."""


@dataclass(frozen=True, slots=True)
class Question:
    """Statistics of a customer from a day to a day, both included.

    The revision aside, the answer depends on nothing else.
    """

    customer_id: str
    first: dt.date
    last: dt.date
    interval: Interval = Interval.DAY
    form: Format = Format.JSON


@dataclass(frozen=True, slots=True)
class Answer:
    """A written answer.

    Attributes
    ----------
    revision
        The customer's, at which or after which the statistics were read; None without statistics.
    """

    body: bytes
    revision: int | None
    form: Format

    @property
    def etag(self) -> str:
        """The strong validator (RFC 9110, 8.8.3): every commit that touches the customer changes it."""
        return etag(self.revision, self.form)


def etag(revision: int | None, form: Format) -> str:
    """Return the validator of a customer's answers in a format; the URL says the rest."""
    return f'"{revision or 0}-{FORM}-{form}"'


class Statistics:
    """Answers questions from the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def answer(self, question: Question, deadline: float | None = None) -> Answer:
        """Return the statistics, and the revision that they are of: one statement reads both.

        Parameters
        ----------
        deadline
            As for `Database.fetch`.

        Raises
        ------
        DatabaseAwayError
            If the database does not answer in time.
        """
        arguments = (question.customer_id, question.first, question.last)
        days: Iterable[Sequence[Any]]
        if question.interval is Interval.DAY:
            rows = await self._database.fetch(DAILY_STATISTICS, *arguments, deadline=deadline)
            revision = rows[0][-1] if rows else None
            days = (row[:-1] for row in rows if row[1] is not None)
        else:
            periods = await self._database.fold(
                lambda: Periods(question.interval),
                Periods.add,
                DAILY_SUMMARIES,
                *arguments,
                deadline=deadline,
            )
            revision, days = periods.revision, periods.rows()
        return Answer(write(days, question.form).encode(), revision, question.form)
