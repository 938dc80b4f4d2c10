"""Metrics as lines of the log, from which CloudWatch takes them: the embedded metric format, by Powertools.

https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import os
from collections.abc import Mapping
from functools import cache

from aws_lambda_powertools.metrics import EphemeralMetrics

from logstats.metrics import NAMESPACE_VARIABLE, Metric


def emit(values: Mapping[Metric, float], **dimensions: str) -> None:
    """Write a value of each metric, in one line for those that have the same dimensions.

    The keywords are the values of the metrics' second dimensions. Without a namespace, as on a laptop, nothing is written.
    """
    namespace = os.environ.get(NAMESPACE_VARIABLE)
    if not namespace:
        return
    for service, by in dict.fromkeys((metric.service, metric.by) for metric in values):
        line = _line(namespace, service)
        if by is not None:
            line.add_dimension(by, dimensions[by])
        for metric, value in values.items():
            if (metric.service, metric.by) == (service, by):
                line.add_metric(metric.name, metric.unit, value)
        line.flush_metrics()


@cache
def _line(namespace: str, service: str) -> EphemeralMetrics:
    """Return one object for each service: making it costs more than using it."""
    return EphemeralMetrics(namespace=namespace, service=service)
