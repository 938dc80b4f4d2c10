"""The Lambda function that a schedule invokes: one run of the retention."""

import time
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from logstats import failures, logs
from logstats.database import create_engine, wait_for_database
from logstats.settings import DatabaseSettings, RetentionSettings, load
from processor.retention.expiry import Expiry, expire, horizon_of

_MARGIN_SECONDS = 75.0
"""Kept back: a transaction may wait a minute for its locks."""

logger = logs.create_logger("retention")


class UnfinishedError(Exception):
    """The time was not enough; another run goes on from there."""


class RetentionFailedError(Exception):
    """A run has failed; the text says why, and shows no data."""


@logger.inject_lambda_context(log_event=False)
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, object]:
    """Seal and remove what is too old. What is left in the end is an error, so that Lambda tries again."""
    settings = load(RetentionSettings)
    until = time.monotonic() + context.get_remaining_time_in_millis() / 1_000 - _MARGIN_SECONDS
    try:
        found = _expire(settings, until).as_dict()
    except Exception as error:
        logger.exception("The retention has failed", extra={"error": type(error).__name__})
        raise RetentionFailedError(failures.describe(error)) from None
    logger.info("Retention applied", extra={"retention": found})
    if not found["finished"]:
        raise UnfinishedError(f"the time was not enough: {found}")
    return found


def _expire(settings: RetentionSettings, until: float) -> Expiry:
    """Run once, as soon as the database answers: the schedule may have woken it (docs/decisions/0006)."""
    engine = create_engine(load(DatabaseSettings))
    try:
        wait_for_database(engine, until)
        horizon, sealed = (horizon_of(engine, days) for days in (settings.retention_days, settings.seal_days))
        return expire(engine, horizon, sealed, until=until)
    finally:
        engine.dispose()  # a frozen function must not keep Aurora awake
