"""Run an ingest within its deadline, and again when the connection to the database is lost."""

import logging
from collections.abc import Callable
from functools import partial
from typing import TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from logstats import failures
from logstats.database import is_lost, wait_for_database
from processor.context import Context
from processor.ledger.attempts import LostAttemptError
from processor.ledger.connection import cancel_at

T = TypeVar("T")

logger = logging.getLogger(__name__)

_RUNS = 4


def run(work: Callable[[sa.Engine], T], engine: sa.Engine, context: Context) -> T:
    """Run work that starts from the ledger; a COMMIT without an answer is never guessed, the next run finds out.

    The work takes an engine that waits for the database no longer than the time lasts: then it is a `DeadlineError`.
    """
    try:
        with cancel_at(engine, context.deadline.at) as bounded:
            return _run(work, bounded, context)
    except (DBAPIError, psycopg.OperationalError):
        context.deadline.check()
        raise


def _run(work: Callable[[sa.Engine], T], engine: sa.Engine, context: Context) -> T:
    for runs_left in reversed(range(_RUNS)):
        try:
            return work(engine)
        except (DBAPIError, psycopg.OperationalError, LostAttemptError) as error:
            lost = isinstance(error, LostAttemptError) or is_lost(error)
            if not lost or not runs_left:
                raise
            context.lost_connections += 1
            logger.warning("The database connection was lost; trying again: %s", failures.describe(error))
        context.deadline.run_within(partial(wait_for_database, engine, context.deadline.at))
    raise AssertionError  # pragma: no cover - the last run returns or raises
