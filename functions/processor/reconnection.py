"""Run an ingest within its deadline, and again when the connection to the database is lost."""

import logging
import time
from collections.abc import Callable
from typing import TypeVar

import psycopg
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from processor.context import Context
from processor.ledger.attempts import LostAttemptError
from processor.ledger.connection import cancel_at, is_lost

T = TypeVar("T")

logger = logging.getLogger(__name__)

_PAUSES = (0.5, 2.0, 5.0)
"""Seconds between runs after a lost connection: a restart of PostgreSQL takes less, a fail-over may not."""


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
    for pause in (*_PAUSES, None):
        try:
            return work(engine)
        except (DBAPIError, psycopg.OperationalError, LostAttemptError) as error:
            lost = isinstance(error, LostAttemptError) or is_lost(error)
            if not lost or pause is None or pause >= context.deadline.remaining():
                raise
            context.lost_connections += 1
            logger.warning("The database connection was lost; trying again in %s s", pause)
            time.sleep(pause)
    raise AssertionError  # pragma: no cover - the last run returns or raises
