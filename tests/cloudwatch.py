"""CloudWatch as far as alarms need it: metrics out of log lines, and an alarm's definition evaluated on them.

moto neither reads the embedded metric format nor evaluates alarms: that is here, after the CloudWatch user guide
("Embedded metric format specification", "Using Amazon CloudWatch alarms").
"""

import datetime as dt
import json
import math
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

import boto3

Datum = dict[str, Any]
"""As `PutMetricData` takes it."""
Alarm = dict[str, Any]
"""The properties of a resource `AWS::CloudWatch::Alarm`, without references."""

_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
}

_STATISTICS: dict[str, Callable[[list[float]], float]] = {"Average": fmean, "Maximum": max, "Sum": sum}

OF_THIS_HOUR = dt.datetime(2024, 10, 3, 12, tzinfo=dt.UTC)
"""The end of the last period."""


def extracted(log: str) -> Iterator[tuple[str, Datum]]:
    """What CloudWatch extracts from a log: namespaces and data."""
    for line in log.splitlines():
        if '"_aws"' not in line:
            continue
        document = json.loads(line)
        for directive in document["_aws"]["CloudWatchMetrics"]:
            assert set(directive) == {"Namespace", "Dimensions", "Metrics"}
            for metric in directive["Metrics"]:
                values = document[metric["Name"]]
                for names in directive["Dimensions"]:
                    assert all(isinstance(document[name], str) for name in names)
                    yield (
                        directive["Namespace"],
                        {
                            "MetricName": metric["Name"],
                            "Unit": metric["Unit"],
                            "Dimensions": [{"Name": name, "Value": document[name]} for name in names],
                            "Values": values if isinstance(values, list) else [values],
                        },
                    )


@dataclass
class CloudWatch:
    """Metrics as they came, and a client of moto's CloudWatch."""

    client: Any = field(default_factory=lambda: boto3.client("cloudwatch"))
    _data: list[tuple[str, Datum]] = field(default_factory=list)

    def put(self, namespace: str, datum: Datum, periods_ago: int = 0, seconds: int = 300) -> None:
        """Publish a datum in the middle of a period, the last one if it is 0 periods ago."""
        at = OF_THIS_HOUR - dt.timedelta(seconds=seconds * (periods_ago + 0.5))
        self._data.append((namespace, {**datum, "Timestamp": at}))

    def put_log(self, log: str, periods_ago: int = 0, seconds: int = 300) -> None:
        for namespace, datum in list(extracted(log)):
            self.put(namespace, datum, periods_ago, seconds)

    def state(self, alarm: Alarm, before: str = "OK") -> str:
        breaching, missing = 0, 0
        for ago in range(alarm["EvaluationPeriods"]):
            value = self._value(alarm, ago)
            if value is None and alarm["TreatMissingData"] == "ignore":
                return before
            missing += value is None
            breaching += value is not None and _COMPARISONS[alarm["ComparisonOperator"]](
                value, alarm["Threshold"]
            )
        if alarm["TreatMissingData"] == "missing" and missing == alarm["EvaluationPeriods"]:
            return "INSUFFICIENT_DATA"
        assert alarm["TreatMissingData"] in ("ignore", "missing", "notBreaching")
        return "ALARM" if breaching >= alarm["DatapointsToAlarm"] else "OK"

    def _value(self, alarm: Alarm, ago: int) -> float | None:
        if "Metrics" in alarm:
            return self._expression(alarm["Metrics"], ago)
        statistic = alarm.get("Statistic") or alarm["ExtendedStatistic"]
        return self._statistic(alarm, statistic, alarm["Period"], alarm.get("Unit"), ago)

    def _expression(self, queries: list[dict[str, Any]], ago: int) -> float | None:
        """Metric math, written so that it is Python too; without a value of every metric there is none."""
        (wanted,) = (query for query in queries if query.get("ReturnData", True))
        names: dict[str, Any] = {
            query["Id"]: self._statistic(
                query["MetricStat"]["Metric"],
                query["MetricStat"]["Stat"],
                query["MetricStat"]["Period"],
                query["MetricStat"].get("Unit"),
                ago,
            )
            for query in queries
            if "MetricStat" in query
        }
        if None in names.values():
            return None
        names["IF"] = lambda condition, then, otherwise: then if condition else otherwise
        try:
            return float(eval(wanted["Expression"], {"__builtins__": {}}, names))  # noqa: S307 - our own template
        except ZeroDivisionError:
            return None

    def _statistic(
        self, metric: Mapping[str, Any], statistic: str, period: int, unit: str | None, ago: int
    ) -> float | None:
        end = OF_THIS_HOUR - dt.timedelta(seconds=period * ago)
        start = end - dt.timedelta(seconds=period)
        values = sorted(
            value
            for namespace, datum in self._data
            if (namespace, datum["MetricName"]) == (metric["Namespace"], metric["MetricName"])
            and _pairs(datum) == _pairs(metric)
            and unit in (None, datum.get("Unit"))
            and start <= datum["Timestamp"] < end
            for value in datum.get("Values", [datum.get("Value")])
        )
        if not values:
            return None
        if statistic.startswith("p"):
            return float(values[math.ceil(float(statistic[1:]) / 100 * len(values)) - 1])
        return float(_STATISTICS[statistic](values))


def _pairs(metric: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {(dimension["Name"], dimension["Value"]) for dimension in metric["Dimensions"]}
