"""Alarms and dashboards: the metrics that they look at exist, and each alarm is raised by what it is for."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from cdk import ROOT
from logstats.metrics import METRICS, SERVICE, namespace
from tests.infrastructure.templates import function, parameters, resources

Alarm = dict[str, Any]
"""The properties of a resource `AWS::CloudWatch::Alarm`, without references."""

environments = pytest.mark.parametrize("environment", ["dev", "prod"])

AWS_METRICS = {
    # Amazon SQS developer guide, "Available CloudWatch metrics for Amazon SQS"
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): {"QueueName"},
    ("AWS/SQS", "ApproximateNumberOfMessagesNotVisible"): {"QueueName"},
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"): {"QueueName"},
    # AWS Lambda developer guide, "Types of metrics for Lambda functions"
    ("AWS/Lambda", "Errors"): {"FunctionName"},
    ("AWS/Lambda", "Duration"): {"FunctionName"},
    ("AWS/Lambda", "Throttles"): {"FunctionName"},
    ("AWS/Lambda", "Invocations"): {"FunctionName"},
    ("AWS/Lambda", "ConcurrentExecutions"): {"FunctionName"},
    # Amazon API Gateway developer guide, "Monitor CloudWatch metrics for HTTP APIs"
    ("AWS/ApiGateway", "Count"): {"ApiId"},
    ("AWS/ApiGateway", "4xx"): {"ApiId"},
    ("AWS/ApiGateway", "5xx"): {"ApiId"},
    ("AWS/ApiGateway", "Latency"): {"ApiId"},
    # Amazon Aurora user guide, "Amazon CloudWatch metrics for Amazon Aurora"
    ("AWS/RDS", "ACUUtilization"): {"DBClusterIdentifier"},
    ("AWS/RDS", "CPUUtilization"): {"DBClusterIdentifier"},
    ("AWS/RDS", "ServerlessDatabaseCapacity"): {"DBClusterIdentifier"},
    ("AWS/RDS", "DatabaseConnections"): {"DBClusterIdentifier"},
    # The same, "Troubleshooting for IAM DB authentication"; its dimensions are those of the cluster's other metrics
    ("AWS/RDS", "IamDbAuthConnectionFailure"): {"DBClusterIdentifier"},
}
"""What AWS's services publish, by which dimensions, and where that is written."""
OPTIONAL = {"NoLogObjects", "Report", "ReportSilence", "Retention", "RetentionSilence"}
"""Of parts that an environment may do without; their own tests look at them."""


def resolved(value: Any) -> Any:  # noqa: ANN401 - JSON
    """A template's value with names in the places of references."""
    if isinstance(value, dict):
        if "Ref" in value:
            return value["Ref"]
        if "Fn::GetAtt" in value:
            return value["Fn::GetAtt"][0]
        if "Fn::Join" in value:
            separator, parts = value["Fn::Join"]
            return separator.join(map(resolved, parts))
        return {key: resolved(each) for key, each in value.items()}
    return [resolved(each) for each in value] if isinstance(value, list) else value


def alarms(environment: str) -> dict[str, Alarm]:
    """By their names in the code, which are in their logical ids."""
    found = resources(environment, "AWS::CloudWatch::Alarm")
    names = {name: re.sub(r"^Monitoring(\w+?)[0-9A-F]{8}$", r"\1", name) for name in found}
    return {names[name]: resolved(alarm["Properties"]) for name, alarm in found.items()}


def looked_at(alarm: Alarm) -> list[dict[str, Any]]:
    """The metrics of an alarm: namespace, name, dimensions, unit."""
    if "Metrics" not in alarm:
        return [alarm]
    return [
        {**query["MetricStat"]["Metric"], "Unit": query["MetricStat"].get("Unit")}
        for query in alarm["Metrics"]
        if "MetricStat" in query
    ]


def plotted(environment: str) -> Iterator[dict[str, Any]]:
    """The metrics of the dashboards, in the same form but without units, which a dashboard does not have."""
    for dashboard in resources(environment, "AWS::CloudWatch::Dashboard").values():
        for widget in json.loads(resolved(dashboard["Properties"]["DashboardBody"]))["widgets"]:
            assert widget["properties"]["metrics"], widget
            for line in widget["properties"]["metrics"]:
                texts = [part for part in line if isinstance(part, str)]
                pairs = zip(texts[2::2], texts[3::2], strict=True)
                yield {
                    "Namespace": texts[0],
                    "MetricName": texts[1],
                    "Dimensions": [{"Name": name, "Value": value} for name, value in pairs],
                }


def check(metric: dict[str, Any], environment: str) -> None:
    """That somebody publishes a metric with these dimensions and this unit."""
    dimensions = {dimension["Name"]: dimension["Value"] for dimension in metric["Dimensions"]}
    if metric["Namespace"].startswith("AWS/"):
        assert set(dimensions) == AWS_METRICS[metric["Namespace"], metric["MetricName"]], metric
        assert metric.get("Unit") is None
        return
    assert metric["Namespace"] == namespace(environment)
    (ours,) = (
        each for each in METRICS if (each.name, each.service) == (metric["MetricName"], dimensions[SERVICE])
    )
    assert set(ours.dimensions) == set(dimensions), metric
    assert metric.get("Unit") in (None, ours.unit), metric


@environments
def test_every_metric_that_an_alarm_looks_at_is_published(environment: str) -> None:
    for alarm in alarms(environment).values():
        for metric in looked_at(alarm):
            check(metric, environment)


@environments
def test_every_metric_on_a_dashboard_is_published_and_all_of_ours_are_there(environment: str) -> None:
    shown = list(plotted(environment))
    for metric in shown:
        check(metric, environment)
    ours = {metric["MetricName"] for metric in shown if not metric["Namespace"].startswith("AWS/")}
    assert ours == {metric.name for metric in METRICS}


def test_a_metric_that_nobody_publishes_would_be_noticed() -> None:
    good = looked_at(alarms("dev")["Freshness"])[0]
    check(good, "dev")
    dimensions = [{"Name": "service", "Value": "processor"}]
    for change in (
        {"MetricName": "Fresh"},
        {"Namespace": "logstats-prod"},
        {"Unit": "Milliseconds"},
        {"Dimensions": [*dimensions, {"Name": "outcome", "Value": "failed"}]},
        {"Dimensions": [{"Name": "service", "Value": "api"}]},
        {"Namespace": "AWS/SQS"},
    ):
        with pytest.raises((AssertionError, KeyError, ValueError)):
            check({**good, **change}, "dev")


@environments
def test_aws_metrics_are_those_of_our_own_resources(environment: str) -> None:
    kinds = {
        "QueueName": "AWS::SQS::Queue",
        "FunctionName": "AWS::Lambda::Function",
        "ApiId": "AWS::ApiGatewayV2::Api",
        "DBClusterIdentifier": "AWS::RDS::DBCluster",
    }
    for metric in [*(each for alarm in alarms(environment).values() for each in looked_at(alarm))]:
        for dimension in metric["Dimensions"]:
            if dimension["Name"] in kinds:
                assert dimension["Value"] in resources(environment, kinds[dimension["Name"]])
    words = {
        "DeadLetters": "IngestDeadLetters",
        "Backlog": "IngestQueue",
        "ProcessorErrors": "IngestProcessor",
        "ProcessorDuration": "IngestProcessor",
        "ProcessorThrottles": "IngestProcessor",
        "ApiErrors": "ApiFunction",
        "ApiThrottles": "ApiFunction",
        "ServerErrors": "ApiGateway",
        "ApiLatency": "ApiGateway",
        "DatabaseCapacity": "DatabaseCluster",
        "DatabaseLogins": "DatabaseCluster",
    }
    for name, word in words.items():
        assert alarms(environment)[name]["Dimensions"][0]["Value"].startswith(word)


@environments
def test_every_alarm_tells_the_topic_when_it_begins_and_when_it_ends(environment: str) -> None:
    (topic,) = resources(environment, "AWS::SNS::Topic")
    for name, alarm in alarms(environment).items():
        assert alarm["AlarmActions"] == alarm["OKActions"] == [topic], name


@environments
def test_every_alarm_says_what_has_happened_and_names_its_section_of_the_runbook(environment: str) -> None:
    runbook = (ROOT / "docs" / "runbook.md").read_text("utf-8")
    section = re.search(r"^## Alarms\n(.*?)(?=^## |\Z)", runbook, re.DOTALL | re.MULTILINE)
    assert section
    parts = re.split(r"^### (\w+)\n", section[1], flags=re.MULTILINE)
    written = dict(zip(parts[1::2], parts[2::2], strict=True))
    assert set(written) == alarms(environment).keys() | OPTIONAL
    for name, alarm in alarms(environment).items():
        meaning, address = alarm["AlarmDescription"].split(" Runbook: ")
        assert len(meaning) > 15, name
        assert address == f"docs/runbook.md#{name.lower()}"
        for question in ("What it means.", "How to look.", "What to do.", "When it is over."):
            assert f"**{question}**" in written[name], (name, question)


@environments
def test_conditions_are_those_of_the_parameters(environment: str) -> None:
    """Nothing is published of what does not happen, so missing data is well; the capacity's state stays."""
    limits = parameters(environment).monitoring
    of_a_timeout = parameters(environment).processor.timeout_seconds * 1_000 * limits.duration_percent / 100
    five, fifteen, well = 300, 900, "notBreaching"
    usual = {name: alarm for name, alarm in alarms(environment).items() if name not in OPTIONAL}
    assert {name: condition(alarm) for name, alarm in usual.items()} == {
        "DeadLetters": ("Maximum", 0, five, 1, 1, well),
        "Backlog": ("Maximum", limits.oldest_message_minutes * 60, five, 1, 1, well),
        "ProcessorErrors": ("Sum", 0, five, 3, 3, well),
        "ProcessorDuration": ("Maximum", of_a_timeout, five, 1, 1, well),
        "ProcessorThrottles": ("Sum", 0, five, 3, 3, well),
        "RejectedShare": ("Sum", limits.rejected_percent, fifteen, 1, 1, well),
        "Unrecognised": ("Sum", 0, five, 1, 1, well),
        "Freshness": ("p90", limits.freshness_minutes * 60, fifteen, 2, 3, well),
        "ServerErrors": ("Sum", limits.server_errors, five, 2, 2, well),
        "ClientErrors": ("Sum", limits.client_errors_percent, fifteen, 1, 1, well),
        "ApiLatency": ("p99", limits.latency_seconds * 1_000, five, 3, 3, well),
        "ApiErrors": ("Sum", 0, five, 2, 3, well),
        "ApiThrottles": ("Sum", 0, five, 2, 3, well),
        "DatabaseCapacity": ("Average", limits.capacity_percent, five, 3, 3, "ignore"),
        "DatabaseLogins": ("Sum", limits.failed_logins, five, 2, 2, well),
    }
    assert {alarm["ComparisonOperator"] for alarm in usual.values()} == {"GreaterThanThreshold"}
    (refused,) = (query for query in alarms(environment)["ClientErrors"]["Metrics"] if "Expression" in query)
    assert refused["Expression"] == f"IF(refused >= {limits.client_errors}, 100 * refused / requests, 0)"
    (share,) = (query for query in alarms(environment)["RejectedShare"]["Metrics"] if "Expression" in query)
    assert share["Expression"] == (
        f"IF(rejected >= {limits.rejected_lines}, 100 * rejected / (accepted + rejected), 0)"
    )


def condition(alarm: Alarm) -> tuple[Any, ...]:
    """Statistic, threshold, seconds of a period, periods that must break it, of how many; what missing data means."""
    stated = [(alarm.get("Statistic") or alarm.get("ExtendedStatistic"), alarm.get("Period"))]
    if "Metrics" in alarm:
        queries = (query["MetricStat"] for query in alarm["Metrics"] if "MetricStat" in query)
        stated = [(query["Stat"], query["Period"]) for query in queries]
    ((statistic, period),) = set(stated)
    periods = alarm["DatapointsToAlarm"], alarm["EvaluationPeriods"]
    return statistic, alarm["Threshold"], period, *periods, alarm["TreatMissingData"]


@environments
def test_limits_leave_room_for_what_is_normal(environment: str) -> None:
    """Each limit is beyond what its parameter's reason says is no alarm."""
    found = alarms(environment)
    timeout = function(environment, "Processor")["Properties"]["Timeout"]
    visibility = max(
        queue["Properties"].get("VisibilityTimeout", 0)
        for queue in resources(environment, "AWS::SQS::Queue").values()
    )
    assert found["Backlog"]["Threshold"] > visibility, "a message that failed once is no backlog"
    assert 0 < found["ProcessorDuration"]["Threshold"] < timeout * 1_000
    assert timeout < found["Freshness"]["Threshold"], "the longest ingest is no delay"
    assert found["ApiLatency"]["Threshold"] < 8_000, "the API itself gives up after 8 s"


@environments
def test_the_functions_log_measure_and_trace_as_the_parameters_say(environment: str) -> None:
    for word in ("IngestProcessor", "ApiFunction", "MigrationFunction"):
        properties = function(environment, word)["Properties"]
        variables = properties["Environment"]["Variables"]
        assert variables["POWERTOOLS_LOG_LEVEL"] == "INFO"
        assert variables["POWERTOOLS_LOGGER_SAMPLE_RATE"] == "0"
        assert variables["POWERTOOLS_METRICS_NAMESPACE"] == namespace(environment)
        assert variables["PSEUDONYM_KEY"] == {"Ref": "AWS::StackId"}
        assert properties["LoggingConfig"]["LogFormat"] == "JSON"
        assert properties["LoggingConfig"]["ApplicationLogLevel"] == "INFO", (
            "above it metrics would be dropped"
        )
        traced = word != "MigrationFunction"
        assert properties.get("TracingConfig") == ({"Mode": "Active"} if traced else None)


def test_no_traces_are_sent_from_a_laptop() -> None:
    for each in resources("local", "AWS::Lambda::Function").values():
        assert "TracingConfig" not in each["Properties"]
    assert "xray" not in json.dumps(resources("local", "AWS::IAM::Policy"))
