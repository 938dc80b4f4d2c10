"""The alarms. docs/runbook.md has a section for each, with what to do."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from cdk.metrics import FIFTEEN_MINUTES, aws, custom_metric
from cdk.monitoring import (
    AlarmCondition,
    MonitoredResources,
    Monitoring,
    MonitoringParameters,
    RetentionResources,
)
from logstats.metrics import ACCEPTED_LINES, FRESHNESS, REJECTED_LINES


def add_alarms(monitoring: Monitoring, resources: MonitoredResources, limits: MonitoringParameters) -> None:
    """Watch the queues, the functions, the API and the database."""
    _watch_queues(monitoring, resources, limits)
    _watch_processor(monitoring, resources, limits)
    _watch_content(monitoring, resources.environment, limits)
    _watch_api(monitoring, resources, limits)
    if resources.retention is not None:
        _watch_retention(monitoring, resources.retention)
    if resources.cluster is not None:
        monitoring.alarm(
            "DatabaseCapacity",
            aws("RDS", "ACUUtilization", {"DBClusterIdentifier": resources.cluster}, "Average"),
            AlarmCondition(
                above=limits.capacity_percent, periods=3, missing=cloudwatch.TreatMissingData.IGNORE
            ),
            meaning="The database is at its maximum capacity: ingests and answers get slower, and then fail.",
        )


def _watch_queues(
    monitoring: Monitoring, resources: MonitoredResources, limits: MonitoringParameters
) -> None:
    """SQS publishes nothing of a queue that has been empty for hours: missing data is well."""
    monitoring.alarm(
        "DeadLetters",
        aws("SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": resources.dead_letters}, "Maximum"),
        AlarmCondition(above=0),
        meaning="Log objects could not be ingested, and are not tried again; their statistics are missing.",
    )
    monitoring.alarm(
        "Backlog",
        aws("SQS", "ApproximateAgeOfOldestMessage", {"QueueName": resources.queue}, "Maximum"),
        AlarmCondition(above=limits.oldest_message_minutes * 60),
        meaning="Log objects wait too long: more arrive than are ingested, or one fails again and again.",
    )


def _watch_retention(monitoring: Monitoring, retention: RetentionResources) -> None:
    monitoring.alarm(
        "Retention",
        aws("SQS", "ApproximateNumberOfMessagesVisible", {"QueueName": retention.failures}, "Maximum"),
        AlarmCondition(above=0),
        meaning="Statistics that are too old could not be removed; they stay longer than promised.",
    )
    monitoring.silence(
        "RetentionSilence",
        aws("Lambda", "Invocations", {"FunctionName": retention.function}, "Sum", Duration.days(1)),
        periods=2,
        meaning="The retention, which runs daily, has not been invoked for days.",
    )


def _watch_processor(
    monitoring: Monitoring, resources: MonitoredResources, limits: MonitoringParameters
) -> None:
    """Lambda publishes nothing of a function that is not invoked: missing data is well."""
    function = {"FunctionName": resources.processor}
    monitoring.alarm(
        "ProcessorErrors",
        aws("Lambda", "Errors", function, "Sum"),
        AlarmCondition(above=0, periods=3),
        meaning="The processor fails in every five minutes; its log says why.",
    )
    monitoring.alarm(
        "ProcessorDuration",
        aws("Lambda", "Duration", function, "Maximum"),
        AlarmCondition(above=resources.processor_timeout_seconds * 1_000 * limits.duration_percent / 100),
        meaning="An ingest has nearly used up the function's time; one that needs more fails.",
    )
    monitoring.alarm(
        "ProcessorThrottles",
        aws("Lambda", "Throttles", function, "Sum"),
        AlarmCondition(above=0, periods=3),
        meaning="The account has no concurrency left for the processor; log objects wait.",
    )


def _watch_content(monitoring: Monitoring, environment: str, limits: MonitoringParameters) -> None:
    """Both are published with every object that is ingested: without uploads, missing data is well."""
    accepted, rejected = (
        custom_metric(environment, metric, "Sum", FIFTEEN_MINUTES)
        for metric in (ACCEPTED_LINES, REJECTED_LINES)
    )
    monitoring.alarm(
        "RejectedShare",
        cloudwatch.MathExpression(
            expression=f"IF(rejected >= {limits.rejected_lines}, 100 * rejected / (accepted + rejected), 0)",
            using_metrics={"accepted": accepted, "rejected": rejected},
            period=FIFTEEN_MINUTES,
            label="Rejected lines, percent",
        ),
        AlarmCondition(above=limits.rejected_percent),
        meaning="Many lines are rejected: somebody has changed the format of a log, or uploads something else.",
    )
    monitoring.alarm(
        "Freshness",
        custom_metric(environment, FRESHNESS, "p90", FIFTEEN_MINUTES),
        AlarmCondition(above=limits.freshness_minutes * 60, periods=2, of=3),
        meaning="Statistics are visible late after the upload of their logs.",
    )


def _watch_api(monitoring: Monitoring, resources: MonitoredResources, limits: MonitoringParameters) -> None:
    """Nothing is published without requests: missing data is well."""
    gateway = {"ApiId": resources.gateway}
    function = {"FunctionName": resources.api}
    monitoring.alarm(
        "ServerErrors",
        aws("ApiGateway", "5xx", gateway, "Sum"),
        AlarmCondition(above=limits.server_errors, periods=2),
        meaning="The API fails, or its database does not answer.",
    )
    monitoring.alarm(
        "ApiLatency",
        aws("ApiGateway", "Latency", gateway, "p99"),
        AlarmCondition(above=limits.latency_seconds * 1_000, periods=3),
        meaning="The API answers slowly.",
    )
    monitoring.alarm(
        "ApiErrors",
        aws("Lambda", "Errors", function, "Sum"),
        AlarmCondition(above=0, periods=2, of=3),
        meaning="The API's function crashes, cannot start, or runs out of memory or time.",
    )
    monitoring.alarm(
        "ApiThrottles",
        aws("Lambda", "Throttles", function, "Sum"),
        AlarmCondition(above=0, periods=2, of=3),
        meaning="More requests at once than the API's function may answer; the others get 503.",
    )
