"""The deployed alarms, on the emulator's CloudWatch: driven by their metrics, they tell the topic.

The emulator evaluates single metrics only, whatever their dimensions, and knows no missing periods; the stricter
evaluation is in tests/infrastructure/test_alarms.py.
"""

import json
from typing import Any

import sqlalchemy as sa

from cdk import outputs
from local.cloud.deployment import Deployer
from local.cloud.emulator import Emulator
from local.cloud.synthesis import cloud_assembly
from tests.infrastructure.test_alarms import ALARMS, AWS_UNITS
from tests.integration.local.cloud.test_deployment import database, parameters

__all__ = ["database"]


def told(emulator: Emulator, queue: str) -> dict[str, str]:
    """The states that a subscriber has been told, by alarm."""
    sqs, found = emulator.client("sqs"), {}
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
        for message in messages:
            body = json.loads(json.loads(message["Body"])["Message"])
            found[body["AlarmName"]] = body["NewStateValue"]
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_every_alarm_is_deployed_and_tells_the_topic(
    emulator: Emulator,
    database: tuple[str, sa.Engine],
) -> None:
    deployer = Deployer(emulator)
    deployed = deployer.deploy(cloud_assembly(), parameters(database[0]))
    cloudwatch, sns, sqs = (emulator.client(name) for name in ("cloudwatch", "sns", "sqs"))
    queue = sqs.create_queue(QueueName="on-call")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    sns.subscribe(TopicArn=deployed[outputs.ALARM_TOPIC], Protocol="sqs", Endpoint=arn)
    alarms: list[dict[str, Any]] = cloudwatch.describe_alarms()["MetricAlarms"]
    assert len(alarms) == len(ALARMS) - 1, "all but that of Aurora's capacity"
    driven = [alarm for alarm in alarms if alarm["MetricName"]]
    assert len(driven) == len(alarms) - 1, "all but the one on metric math"
    for alarm in driven:
        name = alarm["MetricName"]
        cloudwatch.put_metric_data(
            Namespace=alarm["Namespace"],
            MetricData=[
                {
                    "MetricName": name,
                    "Dimensions": alarm["Dimensions"],
                    "Unit": alarm.get("Unit") or AWS_UNITS.get(name, "Count"),
                    "Value": alarm["Threshold"] + 1,
                }
            ],
        )
    states = {
        alarm["AlarmName"]: alarm["StateValue"] for alarm in cloudwatch.describe_alarms()["MetricAlarms"]
    }
    assert {name for name, state in states.items() if state == "ALARM"} == {
        alarm["AlarmName"] for alarm in driven
    }
    assert told(emulator, queue) == {alarm["AlarmName"]: "ALARM" for alarm in driven}
    dashboards = cloudwatch.list_dashboards()["DashboardEntries"]
    assert sorted(each["DashboardName"] for each in dashboards) == [
        "logstats-local-internals",
        "logstats-local-service",
    ]
    sqs.delete_queue(QueueUrl=queue)
    deployer.destroy()
    assert cloudwatch.describe_alarms()["MetricAlarms"] == []
    assert cloudwatch.list_dashboards()["DashboardEntries"] == []
