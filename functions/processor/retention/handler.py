"""The Lambda function that a schedule invokes: one run of the retention."""

import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext
from sqlalchemy.exc import DBAPIError

from logstats import failures, logs
from logstats.database import create_engine
from logstats.settings import DatabaseSettings, RetentionSettings, load
from processor.ledger.connection import is_lost
from processor.retention.expiry import Expiry, expire, horizon_of

_MARGIN_SECONDS = 75.0
"""Kept back: a transaction may wait a minute for its locks."""
_PATIENCE_SECONDS = 120.0
_PAUSE_SECONDS = 5.0

logger = logs.create_logger("retention")


class UnfinishedError(Exception):
    """The time was not enough; another run goes on from there."""


class RetentionFailedError(Exception):
    """A run has failed; the text says why, and shows no data."""


@logger.inject_lambda_context(log_event=False)
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, object]:
    """Remove what is too old. What is left in the end is an error, so that Lambda tries again."""
    days = load(RetentionSettings).days
    until = time.monotonic() + context.get_remaining_time_in_millis() / 1_000 - _MARGIN_SECONDS
    try:
        found = _expire(days, until).as_dict()
    except Exception as error:
        logger.exception("The retention has failed", extra={"error": type(error).__name__})
        raise RetentionFailedError(failures.describe(error)) from None
    logger.info("Retention applied", extra={"retention": found})
    if not found["finished"]:
        raise UnfinishedError(f"the time was not enough: {found}")
    return found


def _expire(days: int, until: float) -> Expiry:
    """Run once, and again while the database does not answer: it may be resuming (docs/decisions/0006)."""
    engine = create_engine(load(DatabaseSettings))
    patience = time.monotonic() + _PATIENCE_SECONDS
    try:
        while True:
            try:
                return expire(engine, horizon_of(engine, days), until=until)
            except DBAPIError as error:
                if not is_lost(error) or time.monotonic() + _PAUSE_SECONDS > min(patience, until):
                    raise
                logger.warning("The database does not answer; trying again in %s s", _PAUSE_SECONDS)
                time.sleep(_PAUSE_SECONDS)
    finally:
        engine.dispose()  # a frozen function must not keep Aurora awake
