"""The morning report in the local cloud: it arrives at its topic, and not without any of its function's rights."""

import copy
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from cdk import ROOT, outputs
from cdk.app import synthesise
from local.cli import app
from local.cloud import certificates
from local.cloud import emulator as emulator_
from local.cloud.deployment import deploy
from local.cloud.emulator import Emulator
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from processor.ingest import Ingestor
from processor.reject_stores import LocalRejectStore
from tests.e2e.enforced import Policy, eventually
from tests.infrastructure.templates import as_list
from tests.ingests import NATIVE, ingest
from tests.integration.local.cloud.conftest import free_port
from tests.logs import random_lines

pytestmark = pytest.mark.walkthroughs
DATE = "2024-09-05"
LINES = [*random_lines(6, 300, days=2), f"{DATE} 12:00:00 <b>*gone*</b>|`=1+1` /a 500 0.1"]


class Reported:
    """A cloud with a report, and a queue that subscribes to its topic."""

    def __init__(self, emulator: Emulator, outputs_: dict[str, str], database_url: str) -> None:
        self.emulator, self.database_url = emulator, database_url
        functions = emulator.client("lambda").list_functions()["Functions"]
        (self.function,) = (each for each in functions if "ReportFunction" in each["FunctionName"])
        sqs, topic = emulator.client("sqs"), outputs_[outputs.REPORT_TOPIC]
        self.queue = sqs.create_queue(QueueName="subscriber")["QueueUrl"]
        arn = sqs.get_queue_attributes(QueueUrl=self.queue, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        allow = {
            "Effect": "Allow",
            "Principal": {"Service": "sns.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
            "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        sqs.set_queue_attributes(QueueUrl=self.queue, Attributes={"Policy": policy})
        emulator.client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)

    def invoke(self, event: dict[str, str]) -> dict[str, Any]:
        told = self.emulator.client("lambda").invoke(
            FunctionName=self.function["FunctionName"], Payload=json.dumps(event)
        )
        return {"failed": "FunctionError" in told, **json.loads(told["Payload"].read())}

    def message(self, seconds: float = 60) -> dict[str, str] | None:
        """The next message of the topic."""
        sqs = self.emulator.client("sqs")

        def received() -> dict[str, str] | None:
            for message in sqs.receive_message(QueueUrl=self.queue).get("Messages", []):
                sqs.delete_message(QueueUrl=self.queue, ReceiptHandle=message["ReceiptHandle"])
                return dict(json.loads(message["Body"]))
            return None

        found: dict[str, str] | None = eventually(received, seconds)
        return found

    def policy(self) -> Policy:
        iam, role = self.emulator.client("iam"), self.function["Role"].rpartition("/")[2]
        (name,) = iam.list_role_policies(RoleName=role)["PolicyNames"]
        document = iam.get_role_policy(RoleName=role, PolicyName=name)["PolicyDocument"]
        return Policy(iam, role, name, document["Statement"])


@pytest.fixture(scope="session")
def reported(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reported]:
    folder = tmp_path_factory.mktemp("report")
    context = copy.deepcopy(json.loads((ROOT / "cdk.json").read_text())["context"])
    context["environments"]["local"]["report"] = {"hour": 6, "time_zone": "Europe/Berlin", "objective": 99.5}
    synthesise(context | {"environment": "local", "auth": "iam"}, folder / "assembly")
    url = server.create_database("reported")
    issued = certificates.issue(folder / "tls")
    with emulator_.running(folder, free_port(), folder / "logs", issued, enforce_iam=True) as emulator:
        emulator.wait_until_healthy()
        parameters = {outputs.DATABASE_URL: url, outputs.PROCESSOR_ENDPOINT: "http://127.0.0.1:9/"}
        deployed = deploy(emulator, folder / "assembly", parameters)
        engine = create_engine(server.settings("reported"))
        ingestor = Ingestor(engine, LocalRejectStore(folder / "rejected"), workers=1, formats=NATIVE)
        ingest(ingestor, folder / "a.log", LINES)
        engine.dispose()
        yield Reported(emulator, deployed, url)


def printed(reported: Reported) -> str:
    command = ["report", "--date", DATE, "--objective", "99.5", "--database-url", reported.database_url]
    return CliRunner().invoke(app, command, catch_exceptions=False).stdout


def test_the_report_of_the_day_before_the_scheduled_time_arrives_at_its_topic(reported: Reported) -> None:
    told = reported.invoke({"scheduled_time": "2024-09-06T04:00:00Z"})
    message = reported.message()
    assert message, told
    assert (
        message["Subject"] == told["subject"] == "logstats local, 2024-09-05: 6 of 6 customers below 99.5 %"
    )
    assert message["Message"] == printed(reported)
    assert "\n  - <b>*gone*</b>|`=1+1`: uptime 0.000 %, 1 server error in 1 request\n" in message["Message"]


def test_its_schedule_reports_yesterday(reported: Reported) -> None:
    """Its target is that of another schedule, whose time has just come; the emulator looks every ten seconds."""
    scheduler = reported.emulator.client("scheduler")
    (listed,) = scheduler.list_schedules()["Schedules"]
    schedule = scheduler.get_schedule(Name=listed["Name"], GroupName=listed["GroupName"])
    assert (schedule["State"], schedule["ScheduleExpression"]) == ("ENABLED", "cron(0 6 * * ? *)")
    now = datetime.now(UTC)
    scheduler.create_schedule(
        Name="now",
        ScheduleExpression=f"at({now:%Y-%m-%dT%H:%M:%S})",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target=schedule["Target"],
    )
    message = reported.message()
    assert message
    days = {f"{(each - timedelta(days=1)).date()}" for each in (now, datetime.now(UTC))}
    assert message["Subject"] in {f"logstats local, {day}: no requests" for day in days}


@pytest.mark.parametrize(
    ("action", "failure"),
    [
        ("lambda:InvokeFunction", "not authorized to perform: lambda:InvokeFunction"),
        ("sns:Publish", "not authorized to perform: SNS:Publish"),
    ],
)
def test_without_a_right_it_fails_and_sends_nothing(reported: Reported, action: str, failure: str) -> None:
    policy = reported.policy()
    (statement,) = (each for each in policy.statements if action in as_list(each["Action"]))
    with policy.without(statement):
        told = reported.invoke({"date": DATE})
    assert told["failed"]
    assert failure.lower() in told["errorMessage"].lower()
    assert reported.message(0.1) is None


def test_it_has_no_right_that_it_does_not_need(reported: Reported) -> None:
    allowed = {action for each in reported.policy().statements for action in as_list(each["Action"])}
    failures = {"sqs:SendMessage", "sqs:GetQueueAttributes", "sqs:GetQueueUrl"}
    assert allowed - failures == {
        *("lambda:InvokeFunction", "sns:Publish", "logs:CreateLogStream", "logs:PutLogEvents")
    }
