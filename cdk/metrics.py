"""CloudWatch's metrics: ours as `logstats.metrics` defines them, and those that AWS's services publish."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from logstats.metrics import SERVICE, Metric, namespace

FIVE_MINUTES = Duration.minutes(5)
FIFTEEN_MINUTES = Duration.minutes(15)


def custom_metric(
    environment: str,
    metric: Metric,
    statistic: str,
    period: Duration = FIVE_MINUTES,
    value: str | None = None,
) -> cloudwatch.Metric:
    """Return one of our metrics.

    Parameters
    ----------
    statistic
        Such as ``Sum`` or ``p90``.
    value
        Of its second dimension, if it has one.
    """
    dimensions: dict[str, str] = {SERVICE: metric.service}
    if metric.by is not None:
        assert value is not None, f"{metric.name} has values by {metric.by}"  # noqa: S101 - a mistake of ours
        dimensions[metric.by] = value
    return cloudwatch.Metric(
        namespace=namespace(environment),
        metric_name=metric.name,
        dimensions_map=dimensions,
        statistic=statistic,
        period=period,
        unit=_UNITS[metric.unit],
        label=value,
    )


def aws(
    service: str,
    name: str,
    dimensions: Mapping[str, str],
    statistic: str,
    period: Duration = FIVE_MINUTES,
) -> cloudwatch.Metric:
    """Return a metric of an AWS service, such as ``SQS``; the names are in each service's own guide."""
    return cloudwatch.Metric(
        namespace=f"AWS/{service}",
        metric_name=name,
        dimensions_map=dict(dimensions),
        statistic=statistic,
        period=period,
    )


_UNITS = {
    "Count": cloudwatch.Unit.COUNT,
    "Bytes": cloudwatch.Unit.BYTES,
    "Bytes/Second": cloudwatch.Unit.BYTES_PER_SECOND,
    "Seconds": cloudwatch.Unit.SECONDS,
    "Milliseconds": cloudwatch.Unit.MILLISECONDS,
}
