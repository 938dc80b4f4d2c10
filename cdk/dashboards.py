"""Two dashboards: what customers notice, and what is behind it."""

from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_rds as rds
from constructs import Construct

from cdk.api import Api
from cdk.ingest import Ingest
from cdk.metrics import custom_metric
from logstats import metrics
from logstats.metrics import Metric

_WIDTH, _HEIGHT = 8, 6


def add_dashboards(
    scope: Construct, environment: str, ingest: Ingest, api: Api, cluster: rds.DatabaseCluster | None
) -> None:
    """Add the dashboards ``logstats-<environment>-service`` and ``-internals``."""
    internals = _internals(environment, ingest, api) + (_database(cluster) if cluster else [])
    for name, widgets in (("service", _service(environment, api)), ("internals", internals)):
        dashboard = cloudwatch.Dashboard(
            scope,
            f"{name.title()}Dashboard",
            dashboard_name=f"logstats-{environment}-{name}",
            default_interval=None,
        )
        for start in range(0, len(widgets), 3):
            dashboard.add_widgets(*widgets[start : start + 3])


def _service(environment: str, api: Api) -> list[cloudwatch.IWidget]:
    gateway = api.gateway
    routes = tuple(dict.fromkeys([*metrics.ROUTES.values(), metrics.OTHER_ROUTE]))
    lines = (metrics.ACCEPTED_LINES, metrics.REJECTED_LINES, metrics.EXPIRED_LINES)
    return [
        _graph(
            "From upload to visible, seconds",
            *(custom_metric(environment, metrics.FRESHNESS, each) for each in ("p50", "p90", "Maximum")),
        ),
        _graph("Lines", *(custom_metric(environment, each, "Sum") for each in lines)),
        _graph(
            "Log objects, by what came of them",
            *_by(environment, metrics.LOG_OBJECTS, "Sum", metrics.OUTCOMES),
        ),
        _graph("Requests", *(gateway.metric(name, statistic="Sum") for name in ("Count", "4xx", "5xx"))),
        _graph(
            "Latency at the gateway, ms",
            *(gateway.metric("Latency", statistic=each) for each in ("p50", "p90", "p99")),
        ),
        _graph("p99 in the function, ms", *_by(environment, metrics.LATENCY, "p99", routes)),
        _graph("Client errors", *_by(environment, metrics.CLIENT_ERRORS, "Sum", routes)),
        _graph("Server errors", *_by(environment, metrics.SERVER_ERRORS, "Sum", routes)),
        _graph("Database away (503)", custom_metric(environment, metrics.DATABASE_AWAY, "Sum")),
    ]


def _internals(environment: str, ingest: Ingest, api: Api) -> list[cloudwatch.IWidget]:
    queue, functions = ingest.queue, (ingest.processor.function, api.function)
    tries = (metrics.REDELIVERIES, metrics.LOST_CONNECTIONS)
    times = (metrics.PARSE_TIME, metrics.COMMIT_TIME)
    starts = (metrics.PROCESSOR_COLD_STARTS, metrics.API_COLD_STARTS)
    return [
        _graph(
            "Messages",
            queue.metric("ApproximateNumberOfMessagesVisible", statistic="Maximum"),
            queue.metric("ApproximateNumberOfMessagesNotVisible", statistic="Maximum"),
            ingest.dead_letters.metric("ApproximateNumberOfMessagesVisible", statistic="Maximum"),
        ),
        _graph(
            "Waiting, seconds",
            queue.metric("ApproximateAgeOfOldestMessage", statistic="Maximum"),
            custom_metric(environment, metrics.QUEUE_AGE, "p90"),
        ),
        _graph("Tried again", *(custom_metric(environment, each, "Sum") for each in tries)),
        _graph("Time of an ingest, ms (p90)", *(custom_metric(environment, each, "p90") for each in times)),
        _graph("Throughput, bytes/s", custom_metric(environment, metrics.THROUGHPUT, "p50")),
        _graph("Bytes", custom_metric(environment, metrics.INGESTED_BYTES, "Sum")),
        _graph(
            "Functions: failed and throttled",
            *(each.metric(name, statistic="Sum") for each in functions for name in ("Errors", "Throttles")),
        ),
        _graph(
            "Functions: duration, ms", *(each.metric("Duration", statistic="Maximum") for each in functions)
        ),
        _graph(
            "Functions: at once, and cold starts",
            *(each.metric("ConcurrentExecutions", statistic="Maximum") for each in functions),
            *(custom_metric(environment, each, "Sum") for each in starts),
        ),
    ]


def _database(cluster: rds.DatabaseCluster) -> list[cloudwatch.IWidget]:
    return [
        _graph("Database: " + title, *(cluster.metric(name, statistic="Maximum") for name in names))
        for title, names in (
            ("capacity, % of the maximum", ("ACUUtilization", "CPUUtilization")),
            ("capacity, ACU", ("ServerlessDatabaseCapacity",)),
            ("connections", ("DatabaseConnections",)),
        )
    ]


def _graph(title: str, *lines: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(lines), width=_WIDTH, height=_HEIGHT)


def _by(
    environment: str, metric: Metric, statistic: str, values: tuple[str, ...]
) -> list[cloudwatch.IMetric]:
    """Return a metric for each value of its second dimension."""
    return [custom_metric(environment, metric, statistic, value=value) for value in values]
