"""The names of the stacks, their parameters and their outputs: what deploys and tests them reads these."""

from typing import Final

API_URL: Final = "ApiUrl"
API_ID: Final = "ApiId"
LOGS_BUCKET: Final = "LogsBucket"
REJECTS_BUCKET: Final = "RejectsBucket"
QUEUE_URL: Final = "QueueUrl"
DEAD_LETTER_QUEUE_URL: Final = "DeadLetterQueueUrl"
PROCESSOR_FUNCTION: Final = "ProcessorFunction"
SCHEMA_REVISION: Final = "SchemaRevision"
ALARM_TOPIC: Final = "AlarmTopic"
REPORT_TOPIC: Final = "ReportTopic"
"""Only with `report`."""
BACKFILL_COMMAND: Final = "BackfillCommand"
"""Only with ``-c backfill=true``."""
FIREHOSE_ROLE: Final = "FirehoseRole"
"""Only where `deliveries` has ``firehose``."""

DATABASE_URL: Final = "DatabaseUrl"
"""Template parameter: the URL of an existing PostgreSQL."""
PROCESSOR_ENDPOINT: Final = "ProcessorEndpoint"
"""Template parameter: where the emulator forwards the processor's invocations."""


def stack_name(environment: str) -> str:
    """Return the name of an environment's stack."""
    return f"logstats-{environment}"
