"""The alarms. docs/runbook.md has a section for each, with what to do.

One module, though long: an alarm is a paragraph, and what is not watched is seen only beside what is.
"""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_rds as rds

from cdk.api import Api
from cdk.ingest import Ingest
from cdk.metrics import FIFTEEN_MINUTES, custom_metric
from cdk.monitoring import Monitoring, MonitoringParameters
from cdk.parameters import Parameters
from cdk.report import Report
from cdk.retention import Retention
from logstats.metrics import ACCEPTED_LINES, FRESHNESS, LOG_OBJECTS, REJECTED_LINES


def watch_ingest(monitoring: Monitoring, ingest: Ingest, parameters: Parameters) -> None:
    """Raise alarms about the queues, the processor and what it reads.

    SQS publishes nothing of a queue that has been empty for hours, and Lambda nothing of a function that is not
    invoked: missing data is well.
    """
    limits, function = parameters.monitoring, ingest.processor.function
    timeout_ms = parameters.processor.timeout_seconds * 1_000
    monitoring.alarm(
        "DeadLetters",
        ingest.dead_letters.metric("ApproximateNumberOfMessagesVisible", statistic="Maximum"),
        above=0,
        meaning="Log objects could not be ingested, and are not tried again; their statistics are missing.",
    )
    monitoring.alarm(
        "Backlog",
        ingest.queue.metric("ApproximateAgeOfOldestMessage", statistic="Maximum"),
        above=limits.oldest_message_minutes * 60,
        meaning="Log objects wait too long: more arrive than are ingested, or one fails again and again.",
    )
    monitoring.alarm(
        "ProcessorErrors",
        function.metric("Errors", statistic="Sum"),
        above=0,
        periods=3,
        meaning="The processor fails in every five minutes; its log says why.",
    )
    monitoring.alarm(
        "ProcessorDuration",
        function.metric("Duration", statistic="Maximum"),
        above=timeout_ms * limits.duration_percent / 100,
        meaning="An ingest has nearly used up the function's time; one that needs more fails.",
    )
    monitoring.alarm(
        "ProcessorThrottles",
        function.metric("Throttles", statistic="Sum"),
        above=0,
        periods=3,
        meaning="The account has no concurrency left for the processor; log objects wait.",
    )
    if limits.silent_hours is not None:
        monitoring.alarm(
            "NoLogObjects",
            ingest.queue.metric("NumberOfMessagesSent", statistic="Sum", period=Duration.hours(1)),
            below=1,
            periods=limits.silent_hours,
            missing=cloudwatch.TreatMissingData.BREACHING,
            meaning="No log object has been announced for hours: uploads have stopped, or their announcements.",
        )
    _watch_content(monitoring, parameters.environment, limits)


def _watch_content(monitoring: Monitoring, environment: str, limits: MonitoringParameters) -> None:
    """All are published with objects that are processed: without uploads, missing data is well."""
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
        above=limits.rejected_percent,
        meaning="Many lines are rejected: somebody has changed the format of a log, or uploads something else.",
    )
    monitoring.alarm(
        "Unrecognised",
        custom_metric(environment, LOG_OBJECTS, "Sum", value="unrecognised"),
        above=0,
        meaning="Log objects have a format that is not recognised; nothing of them counts.",
    )
    monitoring.alarm(
        "Freshness",
        custom_metric(environment, FRESHNESS, "p90", FIFTEEN_MINUTES),
        above=limits.freshness_minutes * 60,
        periods=2,
        of=3,
        meaning="Statistics are visible late after the upload of their logs.",
    )


def watch_api(monitoring: Monitoring, api: Api, limits: MonitoringParameters) -> None:
    """Raise alarms about the API. Nothing is published without requests: missing data is well."""
    monitoring.alarm(
        "ServerErrors",
        api.gateway.metric("5xx", statistic="Sum"),
        above=limits.server_errors,
        periods=2,
        meaning="The API fails, or its database does not answer.",
    )
    requests, refused = (
        api.gateway.metric(metric, statistic="Sum", period=FIFTEEN_MINUTES) for metric in ("Count", "4xx")
    )
    monitoring.alarm(
        "ClientErrors",
        cloudwatch.MathExpression(
            expression=f"IF(refused >= {limits.client_errors}, 100 * refused / requests, 0)",
            using_metrics={"requests": requests, "refused": refused},
            period=FIFTEEN_MINUTES,
            label="Requests answered 4xx, percent",
        ),
        above=limits.client_errors_percent,
        meaning="Most requests to the API are refused: callers have the wrong rights, are throttled, or are broken.",
    )
    monitoring.alarm(
        "ApiLatency",
        api.gateway.metric("Latency", statistic="p99"),
        above=limits.latency_seconds * 1_000,
        periods=3,
        meaning="The API answers slowly.",
    )
    monitoring.alarm(
        "ApiErrors",
        api.function.metric("Errors", statistic="Sum"),
        above=0,
        periods=2,
        of=3,
        meaning="The API's function crashes, cannot start, or runs out of memory or time.",
    )
    monitoring.alarm(
        "ApiThrottles",
        api.function.metric("Throttles", statistic="Sum"),
        above=0,
        periods=2,
        of=3,
        meaning="More requests at once than the API's function may answer; the others get 503.",
    )


def watch_retention(monitoring: Monitoring, retention: Retention) -> None:
    """Raise alarms when the retention fails, and when it does not run."""
    _watch_daily(
        monitoring,
        "Retention",
        retention,
        failed="Statistics that are too old could not be removed; they stay longer than promised.",
        silent="The retention, which runs daily, has not been invoked for days.",
    )


def watch_report(monitoring: Monitoring, report: Report) -> None:
    """Raise alarms when the morning report fails, and when it does not run."""
    _watch_daily(
        monitoring,
        "Report",
        report,
        failed="The morning report could not be made or published; nothing was sent.",
        silent="The morning report, which comes daily, has not been invoked for days.",
    )


def _watch_daily(
    monitoring: Monitoring, name: str, daily: Retention | Report, *, failed: str, silent: str
) -> None:
    monitoring.alarm(
        name,
        daily.failures.metric("ApproximateNumberOfMessagesVisible", statistic="Maximum"),
        above=0,
        meaning=failed,
    )
    monitoring.silence(
        f"{name}Silence",
        daily.function.metric("Invocations", statistic="Sum", period=Duration.days(1)),
        periods=2,
        meaning=silent,
    )


def watch_cluster(monitoring: Monitoring, cluster: rds.DatabaseCluster, limits: MonitoringParameters) -> None:
    """Raise alarms when the database needs more than it may have, and when it refuses those who sign in."""
    monitoring.alarm(
        "DatabaseCapacity",
        cluster.metric("ACUUtilization", statistic="Average"),
        above=limits.capacity_percent,
        periods=3,
        missing=cloudwatch.TreatMissingData.IGNORE,
        meaning="The database is at its maximum capacity: ingests and answers get slower, and then fail.",
    )
    monitoring.alarm(
        "DatabaseLogins",
        cluster.metric("IamDbAuthConnectionFailure", statistic="Sum"),
        above=limits.failed_logins,
        periods=2,
        meaning="The database refuses those who sign in with IAM: a right was changed, or somebody tries.",
    )
