"""The Lambda function: S3 events from SQS, each log object ingested and committed on its own."""

from functools import lru_cache
from typing import Any
from urllib.parse import unquote_plus

import boto3
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.batch import BatchProcessor, EventType, process_partial_response
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes import S3Event
from aws_lambda_powertools.utilities.data_classes.s3_event import S3EventRecord
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
from aws_lambda_powertools.utilities.typing import LambdaContext

from logstats.database import create_engine
from logstats.settings import DatabaseSettings, ProcessorSettings, load
from processor.ingest import Ingestor
from processor.objects import S3Object
from processor.rejects import LocalRejectStore, RejectStore, S3RejectStore

logger = Logger(service="processor")
_batch = BatchProcessor(event_type=EventType.SQS)


@lru_cache(maxsize=1)
def _ingestor() -> Ingestor:
    """Make the ingestor once per execution environment."""
    settings = load(ProcessorSettings)
    return Ingestor(
        create_engine(load(DatabaseSettings), max_overflow=-1),
        _reject_store(settings),
        settings.wait_for_system_duration,
    )


@lru_cache(maxsize=1)
def _s3() -> Any:  # noqa: ANN401 - boto3 makes its clients at run time
    return boto3.client("s3")


def _reject_store(settings: ProcessorSettings) -> RejectStore:
    if settings.rejects_bucket:
        return S3RejectStore(_s3(), settings.rejects_bucket)
    return LocalRejectStore(settings.rejects_folder)


def handle_record(record: SQSRecord) -> None:
    """Ingest what one message announces; a message may carry several S3 records."""
    body = record.json_body
    if body.get("Event") == "s3:TestEvent":
        logger.info("S3 has tested the notification")
        return
    for s3_record in S3Event(body).records:
        _ingest(s3_record)


def _ingest(record: S3EventRecord) -> None:
    bucket, entry = record.s3.bucket.name, record.s3.get_object
    log = S3Object.head(_s3(), bucket, unquote_plus(entry.key), entry.version_id)
    summary = _ingestor().ingest_event(log, entry.sequencer)
    logger.info("Log object settled", extra={"ingest": summary.as_dict()})


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> PartialItemFailureResponse:
    """Ingest every message of a batch; those that fail, and only those, are delivered again."""
    return process_partial_response(event, handle_record, _batch, context)
