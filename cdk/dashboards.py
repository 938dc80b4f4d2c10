"""Two dashboards: what customers notice, and what is behind it."""

from aws_cdk import aws_cloudwatch as cloudwatch
from constructs import Construct

from cdk.metrics import aws, custom_metric
from cdk.monitoring import MonitoredResources
from logstats import metrics
from logstats.metrics import Metric

_WIDTH, _HEIGHT = 8, 6


def add_dashboards(scope: Construct, resources: MonitoredResources) -> None:
    """Add the dashboards ``logstats-<environment>-service`` and ``-internals``."""
    for name, widgets in (("service", _service(resources)), ("internals", _internals(resources))):
        dashboard = cloudwatch.Dashboard(
            scope,
            f"{name.title()}Dashboard",
            dashboard_name=f"logstats-{resources.environment}-{name}",
            default_interval=None,
        )
        for start in range(0, len(widgets), 3):
            dashboard.add_widgets(*widgets[start : start + 3])


def _service(resources: MonitoredResources) -> list[cloudwatch.IWidget]:
    environment, gateway = resources.environment, {"ApiId": resources.gateway}
    routes = dict.fromkeys([*metrics.ROUTES.values(), metrics.OTHER_ROUTE])
    return [
        _graph(
            "From upload to visible, seconds",
            *(
                custom_metric(environment, metrics.FRESHNESS, statistic)
                for statistic in ("p50", "p90", "Maximum")
            ),
        ),
        _graph(
            "Lines",
            *(
                custom_metric(environment, each, "Sum")
                for each in (metrics.ACCEPTED_LINES, metrics.REJECTED_LINES, metrics.EXPIRED_LINES)
            ),
        ),
        _graph(
            "Log objects, by what came of them",
            *_by(environment, metrics.LOG_OBJECTS, "Sum", metrics.OUTCOMES),
        ),
        _graph("Requests", *(aws("ApiGateway", name, gateway, "Sum") for name in ("Count", "4xx", "5xx"))),
        _graph(
            "Latency at the gateway, ms",
            *(aws("ApiGateway", "Latency", gateway, statistic) for statistic in ("p50", "p90", "p99")),
        ),
        _graph("p99 in the function, ms", *_by(environment, metrics.LATENCY, "p99", tuple(routes))),
        _graph("Client errors", *_by(environment, metrics.CLIENT_ERRORS, "Sum", tuple(routes))),
        _graph("Server errors", *_by(environment, metrics.SERVER_ERRORS, "Sum", tuple(routes))),
        _graph("Database away (503)", custom_metric(environment, metrics.DATABASE_AWAY, "Sum")),
    ]


def _internals(resources: MonitoredResources) -> list[cloudwatch.IWidget]:
    environment = resources.environment
    processor, api = {"FunctionName": resources.processor}, {"FunctionName": resources.api}
    widgets: list[cloudwatch.IWidget] = [
        _graph(
            "Messages",
            *(
                aws("SQS", f"ApproximateNumberOfMessages{state}", {"QueueName": queue}, "Maximum")
                for queue, state in (
                    (resources.queue, "Visible"),
                    (resources.queue, "NotVisible"),
                    (resources.dead_letters, "Visible"),
                )
            ),
        ),
        _graph(
            "Waiting, seconds",
            aws("SQS", "ApproximateAgeOfOldestMessage", {"QueueName": resources.queue}, "Maximum"),
            custom_metric(environment, metrics.QUEUE_AGE, "p90"),
        ),
        _graph(
            "Tried again",
            *(
                custom_metric(environment, each, "Sum")
                for each in (metrics.REDELIVERIES, metrics.LOST_CONNECTIONS)
            ),
        ),
        _graph(
            "Time of an ingest, ms (p90)",
            *(custom_metric(environment, each, "p90") for each in (metrics.PARSE_TIME, metrics.COMMIT_TIME)),
        ),
        _graph("Throughput, bytes/s", custom_metric(environment, metrics.THROUGHPUT, "p50")),
        _graph("Bytes", custom_metric(environment, metrics.INGESTED_BYTES, "Sum")),
        _graph(
            "Functions: failed and throttled",
            *(
                aws("Lambda", name, function, "Sum")
                for function in (processor, api)
                for name in ("Errors", "Throttles")
            ),
        ),
        _graph(
            "Functions: duration, ms",
            *(aws("Lambda", "Duration", function, "Maximum") for function in (processor, api)),
        ),
        _graph(
            "Functions: at once, and cold starts",
            *(aws("Lambda", "ConcurrentExecutions", function, "Maximum") for function in (processor, api)),
            *(
                custom_metric(environment, each, "Sum")
                for each in (metrics.PROCESSOR_COLD_STARTS, metrics.API_COLD_STARTS)
            ),
        ),
    ]
    if resources.cluster is not None:
        cluster = {"DBClusterIdentifier": resources.cluster}
        widgets += [
            _graph("Database: " + title, *(aws("RDS", name, cluster, "Maximum") for name in names))
            for title, names in (
                ("capacity, % of the maximum", ("ACUUtilization", "CPUUtilization")),
                ("capacity, ACU", ("ServerlessDatabaseCapacity",)),
                ("connections", ("DatabaseConnections",)),
            )
        ]
    return widgets


def _graph(title: str, *lines: cloudwatch.IMetric) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(lines), width=_WIDTH, height=_HEIGHT)


def _by(
    environment: str, metric: Metric, statistic: str, values: tuple[str, ...]
) -> list[cloudwatch.IMetric]:
    """Return a metric for each value of its second dimension."""
    return [custom_metric(environment, metric, statistic, value=value) for value in values]
