"""The Lambda function behind the deployment's custom resource."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from logstats import failures, logs
from logstats.database import create_engine, wait_for_database
from logstats.settings import DatabaseSettings, load
from migrate import schema
from migrate.custom_resource import respond

PHYSICAL_ID = "logstats-schema"
_MARGIN_SECONDS = 5

logger = logs.create_logger("migrate")


@logger.inject_lambda_context(log_event=False)  # its ResponseURL is a signed one
def handler(event: dict[str, Any], context: LambdaContext) -> None:
    """Migrate on create and update; keep the data on delete.

    Any error is reported to CloudFormation, so that it rolls back at once and says why.
    """
    try:
        seconds = context.get_remaining_time_in_millis() / 1000 - _MARGIN_SECONDS
        with _deadline(seconds):
            data = {} if event["RequestType"] == "Delete" else {"Revision": _migrate(seconds)}
    except Exception as error:
        logger.exception("The migration has failed")
        respond(event, PHYSICAL_ID, failure=f"The schema migration has failed: {failures.describe(error)}")
    else:
        respond(event, PHYSICAL_ID, data)


def _migrate(seconds: float) -> str:
    """Return the schema's revision, which is newer than this code when a deployment rolls back."""
    engine = create_engine(load(DatabaseSettings))
    try:
        wait_for_database(engine, time.monotonic() + seconds / 2)  # the other half is the migration's
        before, after = schema.upgrade(engine)
    except schema.NewerSchemaError as newer:
        logger.warning("The schema is newer than this code, and stays", extra={"revision": newer.revision})
        return newer.revision
    finally:
        engine.dispose()
    logger.info("Schema migrated", extra={"before": before, "after": after})
    return after


@contextmanager
def _deadline(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in this block after so many seconds, while there is time for an answer."""

    def time_out(*_: object) -> None:
        raise TimeoutError(f"it took longer than {seconds:.0f} seconds")

    previous = signal.signal(signal.SIGALRM, time_out)
    signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)
