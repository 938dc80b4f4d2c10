"""The metrics of a message and of the objects that it announces (`logstats.metrics`)."""

import datetime as dt
import time

from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from logstats.emission import emit
from logstats.metrics import (
    ACCEPTED_LINES,
    COMMIT_TIME,
    EXPIRED_LINES,
    FAILED,
    FRESHNESS,
    INGESTED_BYTES,
    LOG_OBJECTS,
    LOST_CONNECTIONS,
    PARSE_TIME,
    PROCESSOR_COLD_STARTS,
    QUEUE_AGE,
    REDELIVERIES,
    REJECTED_LINES,
    THROUGHPUT,
    Metric,
)
from processor.announcements import Announcement
from processor.context import Context
from processor.ingest_summary import IngestSummary
from processor.ledger.delivery import Outcome

_is_cold = True


def received(record: SQSRecord) -> None:
    """Tell how long a message has waited, and whether it comes again."""
    global _is_cold
    values: dict[Metric, float] = {}
    if sent := record.attributes.get("SentTimestamp"):
        values[QUEUE_AGE] = max(0.0, time.time() - int(str(sent)) / 1_000)
    if receive_count(record) > 1:
        values[REDELIVERIES] = 1
    if _is_cold:
        values[PROCESSOR_COLD_STARTS], _is_cold = 1, False
    emit(values)


def receive_count(record: SQSRecord) -> int:
    """Return how often a message has been delivered, this time included."""
    return int(str(record.attributes.get("ApproximateReceiveCount", 1)))


def processed(announcement: Announcement, summary: IngestSummary, context: Context) -> None:
    """Tell what came of an object, and what it cost if it was read and now counts."""
    values: dict[Metric, float] = {LOG_OBJECTS: 1} | _lost(context)
    if summary.outcome in (Outcome.INGESTED, Outcome.REPLACED):
        values |= {
            ACCEPTED_LINES: summary.accepted,
            REJECTED_LINES: summary.rejected,
            INGESTED_BYTES: context.size_bytes,
            THROUGHPUT: context.size_bytes / max(summary.seconds, 1e-6),
            PARSE_TIME: context.parse_seconds * 1_000,
            COMMIT_TIME: context.commit_seconds * 1_000,
        }
        if announcement.time:
            values[FRESHNESS] = _seconds_since(announcement.time)
        if summary.expired:
            values[EXPIRED_LINES] = summary.expired
    emit(values, outcome=summary.outcome)


def failed(context: Context) -> None:
    """Tell that a message could not be processed."""
    emit({LOG_OBJECTS: 1} | _lost(context), outcome=FAILED)


def _lost(context: Context) -> dict[Metric, float]:
    return {LOST_CONNECTIONS: context.lost_connections} if context.lost_connections else {}


def _seconds_since(event_time: str) -> float:
    """Return the time since an event of S3; its clock may be a little ahead of ours."""
    return max(0.0, (dt.datetime.now(dt.UTC) - dt.datetime.fromisoformat(event_time)).total_seconds())
