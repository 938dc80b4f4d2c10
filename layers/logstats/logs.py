"""The functions' logs: JSON by Powertools, and nothing in them that belongs to a customer (docs/decisions/0012).

`POWERTOOLS_LOG_LEVEL` and `POWERTOOLS_LOGGER_SAMPLE_RATE` are Powertools' own variables.
"""

import logging
import os
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.logging.formatter import LambdaPowertoolsFormatter

from logstats import failures

_SAFE_LEVEL = logging.WARNING


class SafeFormatter(LambdaPowertoolsFormatter):
    """Powertools' JSON, with errors as `logstats.failures` words them, and of libraries one line at most."""

    def __init__(self, service: str) -> None:
        super().__init__(use_rfc3339=True, utc=True, serialize_stacktrace=False)
        self._service = service

    def format(self, record: logging.LogRecord) -> str:
        """Write a record; those of libraries with their logger's name."""
        if record.name.partition(".")[0] != self._service:
            first = next(iter(record.getMessage().splitlines()), "")
            record = logging.makeLogRecord(
                {**record.__dict__, "msg": first, "args": None, "library": record.name}
            )
        return super().format(record)

    def _extract_log_exception(self, log_record: logging.LogRecord) -> Any:  # noqa: ANN401 - the base class's
        error = log_record.exc_info[1] if isinstance(log_record.exc_info, tuple) else None
        if error is None:
            return None, None, None
        return failures.trace(error), type(error).__name__, None


def create_logger(service: str) -> Logger:
    """Return the logger of a function, whose modules log below its name.

    Libraries are heard from warnings upwards, whatever the level: their debugging output has requests with signatures
    and session tokens, statements with parameters, and paths. In Lambda all of it goes through the one formatter.
    """
    level = os.environ.get("POWERTOOLS_LOG_LEVEL", "INFO").upper()
    logger = Logger(service=service, logger_formatter=SafeFormatter(service))
    # Powertools would let Lambda's own level decide, which must be as low as that of sampled invocations.
    logger.initial_log_level = logging.getLevelName(level)
    logger.refresh_sample_rate_calculation()
    root = logging.getLogger()
    root.setLevel(_SAFE_LEVEL)
    if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:
        root.handlers[:] = [logger.registered_handler]
        logging.getLogger(service).propagate = False
    return logger
