"""Our own metrics in CloudWatch, as `logstats.metrics` defines them."""

from aws_cdk import Duration
from aws_cdk import aws_cloudwatch as cloudwatch

from logstats.metrics import SERVICE, Metric, namespace

FIFTEEN_MINUTES = Duration.minutes(15)


def custom_metric(
    environment: str, metric: Metric, statistic: str, period: Duration | None = None, value: str | None = None
) -> cloudwatch.Metric:
    """Return one of our metrics.

    Parameters
    ----------
    statistic
        Such as ``Sum`` or ``p90``.
    period
        Five minutes by default.
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
        unit=cloudwatch.Unit[metric.unit.upper().replace("/", "_PER_")],
        label=value,
    )
