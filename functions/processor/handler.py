"""The Lambda function: S3 events from SQS, each log object ingested and committed on its own."""

import gc
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any

from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from logstats import failures, logs
from logstats.database import create_engine
from logstats.settings import DatabaseSettings, load
from processor import telemetry, undeliverable
from processor.announcements import Announcement, announcements
from processor.context import Context
from processor.deadline import Deadline, DeadlineError
from processor.ingest import Ingestor
from processor.ledger.delivery import Withdrawal
from processor.ledger.horizon import SealedError
from processor.reading.objects import SourceError, TransientSourceError, source_of
from processor.reading.s3 import create_client, current_version
from processor.requests import EventRequest
from processor.settings import ProcessorSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logs.create_logger("processor")
_batch = BatchProcessor(event_type=EventType.SQS)


@lru_cache(maxsize=1)
def _ingestor() -> Ingestor:
    """Make the ingestor once per execution environment."""
    return Ingestor.configured(_settings(), create_engine(load(DatabaseSettings), max_overflow=-1), _s3)


@lru_cache(maxsize=1)
def _settings() -> ProcessorSettings:
    return load(ProcessorSettings)


@lru_cache(maxsize=1)
def _s3() -> "S3Client":
    return create_client()


class MessageFailedError(Exception):
    """A message could not be processed; the text says why, and shows nothing of what was read.

    Attributes
    ----------
    is_final
        Whether another delivery would fail too.
    source
        The log object, if it is known.
    """

    def __init__(self, reason: str, *, is_final: bool, source: str | None) -> None:
        super().__init__(reason)
        self.is_final, self.source = is_final, source


def handle_record(record: SQSRecord, deadline: Deadline) -> None:
    """Process a message; one that another delivery does not help is kept, and has then been dealt with.

    A `MessageFailedError` of the first error, and without it: Lambda writes its text and its causes to the log.
    """
    body, bucket = record.body, None
    logger.append_keys(
        message_id=record.message_id, receive_count=telemetry.receive_count(record), object=None
    )
    telemetry.received(record)
    try:
        if bucket := _settings().rejects_bucket:
            body = undeliverable.original(_s3(), bucket, body)
        failed = _process_all(body, deadline)
    except Exception as error:  # noqa: BLE001 - whatever it is, the message must not be lost
        telemetry.failed(Context(deadline))
        failed = [_failed(error)]
    if not failed:
        return
    if not bucket or not all(each.is_final for each in failed):
        raise failed[0]
    try:
        reasons = [(each.source, str(each)) for each in failed]
        undeliverable.keep(_s3(), bucket, record.message_id, body, reasons)
    except Exception as error:  # noqa: BLE001 - as above
        raise _failed(error) from None


def _process_all(body: str, deadline: Deadline) -> list[MessageFailedError]:
    """Process what a message announces; an object that fails does not keep those behind it from counting."""
    ingestor, announced, failed = _ingestor(), announcements(body), []
    if not announced:
        logger.info("S3 has tested the notification")
    for announcement in announced:
        context = Context(deadline)
        try:
            _process(announcement, ingestor, context)
        except Exception as error:  # noqa: BLE001 - as above
            telemetry.failed(context)
            failed.append(_failed(error, source_of(announcement.bucket, announcement.key)))
    return failed


def _failed(error: Exception, source: str | None = None) -> MessageFailedError:
    """Say in one sentence what went wrong and what comes of it; where, if nobody has foreseen it."""
    is_foreseen = isinstance(error, SourceError | SealedError | DeadlineError)
    is_final = isinstance(error, SourceError | SealedError) and not isinstance(error, TransientSourceError)
    logger.error(
        "%s (%s)",
        error if is_foreseen else failures.describe(error),
        "trying again will not help; fix the cause" if is_final else "to be delivered again",
        extra={"error": type(error).__name__},
        exc_info=None if is_foreseen else error,
    )
    return MessageFailedError(failures.describe(error), is_final=is_final, source=source)


def _process(announcement: Announcement, ingestor: Ingestor, context: Context) -> None:
    kind, bucket, key = announcement.kind, announcement.bucket, announcement.key
    logger.append_keys(object={"bucket": bucket, "key": key, "version": announcement.version})
    if kind.startswith("ObjectCreated"):
        request = EventRequest(_s3(), bucket, key, announcement.version, announcement.sequencer)
        summary = ingestor.ingest(request, context)
    elif kind.startswith("ObjectRemoved") and _settings().withdraw_removed_objects:
        summary = ingestor.withdraw(_withdrawal(announcement), context)
    else:
        logger.info("Event ignored", extra={"event": kind, "source": source_of(bucket, key)})
        return
    telemetry.processed(announcement, summary, context)
    logger.info("Log object processed", extra={"ingest": summary.as_dict()})


def _withdrawal(removal: Announcement) -> Withdrawal:
    """Read a removal: a delete marker's event names the marker, a deletion for good the version."""
    version = None if removal.kind == "ObjectRemoved:DeleteMarkerCreated" else removal.version

    def is_current() -> bool:
        return current_version(_s3(), removal.bucket, removal.key) == ""

    return Withdrawal(removal.bucket, removal.key, version, removal.sequencer, is_current)


@logger.inject_lambda_context(log_event=False)
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Process every message of a batch; those that fail, and only those, are delivered again."""
    deadline = Deadline.after(context.get_remaining_time_in_millis() / 1_000)
    return process_partial_response(event, partial(handle_record, deadline=deadline), _batch, context)


gc.freeze()  # what is here now stays: no collection looks at it again, least of all while a commit holds its lock
