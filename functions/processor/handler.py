"""The Lambda function: S3 events from SQS, each log object ingested and committed on its own."""

import gc
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes import S3Event
from aws_lambda_powertools.utilities.data_classes.s3_event import S3EventRecord, S3Object
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from logstats.database import create_engine
from logstats.settings import DatabaseSettings, ProcessorSettings, load
from processor.deadline import Deadline, DeadlineError
from processor.ingest import Ingestor
from processor.ledger import Withdrawal
from processor.objects import SourceError, TransientSourceError, is_log, source_of
from processor.rejects import reject_store
from processor.s3 import create_client, current_version

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = Logger(service="processor")
_batch = BatchProcessor(event_type=EventType.SQS)


@lru_cache(maxsize=1)
def _ingestor() -> Ingestor:
    """Make the ingestor once per execution environment."""
    settings = _settings()
    return Ingestor(
        create_engine(load(DatabaseSettings), max_overflow=-1),
        reject_store(settings, _s3),
        settings.wait_for_system_duration,
    )


@lru_cache(maxsize=1)
def _settings() -> ProcessorSettings:
    return load(ProcessorSettings)


@lru_cache(maxsize=1)
def _s3() -> "S3Client":
    return create_client()


def handle_record(record: SQSRecord, deadline: Deadline) -> None:
    """Settle what one message announces."""
    try:
        _handle(record.json_body, replace(_ingestor(), deadline=deadline))
    except Exception as error:
        _log(error)
        raise


def _log(error: Exception) -> None:
    """Say in one sentence what failed, and whether trying again may help; Powertools keeps the traceback."""
    if isinstance(error, SourceError):
        again = isinstance(error, TransientSourceError)
        consequence = "to be delivered again" if again else "trying again will not help; fix the cause"
        logger.error("%s (%s)", error, consequence)
    elif isinstance(error, DeadlineError):
        logger.error("%s (to be delivered again)", error)
    else:
        logger.error("%s: %s (to be delivered again)", type(error).__name__, _first_line(error))


def _handle(body: dict[str, Any], ingestor: Ingestor) -> None:
    """Settle every S3 record; one that fails does not keep those behind it in the message from counting."""
    if body.get("Event") == "s3:TestEvent":
        logger.info("S3 has tested the notification")
        return
    first: Exception | None = None
    for s3_record in S3Event(body).records:
        try:
            _settle(s3_record, ingestor)
        except Exception as error:  # noqa: BLE001 - raised again below
            if first:
                _log(error)
            first = first or error
    if first:
        raise first


def _settle(record: S3EventRecord, ingestor: Ingestor) -> None:
    bucket, entry = record.s3.bucket.name, record.s3.get_object
    key, kind = unquote_plus(entry.key), record.event_name.removeprefix("s3:")
    if kind.startswith("ObjectCreated:"):
        summary = ingestor.ingest_event(_s3(), bucket, key, entry.version_id, entry.get("sequencer"))
    elif kind.startswith("ObjectRemoved:") and is_log(key) and _settings().withdraw_removed_objects:
        summary = ingestor.withdraw(_withdrawal(bucket, key, kind, entry))
    else:
        logger.info("Event ignored", extra={"event": kind, "source": source_of(bucket, key)})
        return
    logger.info("Log object settled", extra={"ingest": summary.as_dict()})


def _withdrawal(bucket: str, key: str, kind: str, entry: S3Object) -> Withdrawal:
    """Read a removal: a delete marker's event names the marker, a deletion for good the version."""
    version = None if kind == "ObjectRemoved:DeleteMarkerCreated" else entry.version_id

    def is_current() -> bool:
        return current_version(_s3(), bucket, key) == ""

    return Withdrawal(bucket, key, version, entry.sequencer, is_current)


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), "")


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Settle every message of a batch; those that fail, and only those, are delivered again."""
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1_000)
    return process_partial_response(event, partial(handle_record, deadline=deadline), _batch, context)


gc.freeze()  # what is here now stays: no collection looks at it again, least of all while a commit holds its lock
