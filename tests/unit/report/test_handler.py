"""The function: which day it reports, and what it publishes."""

import json
from typing import Any

import boto3
import pytest

from report.client import ReportError
from report.handler import handler, reported_day
from tests.events import context
from tests.unit.report.answers import Api, row
from tests.unit.report.test_client import Lambda

TOPIC = "arn:aws:sns:eu-west-1:000000000000:reports"


class Sns:
    def __init__(self) -> None:
        self.published: list[dict[str, str]] = []

    def publish(self, **message: str) -> None:
        self.published.append(message)


class Function(Lambda):
    """The API's function, over the answers of a stand-in."""

    def __init__(self, api: Api) -> None:
        super().__init__()
        self.api = api

    def invoke(self, FunctionName: str, Payload: str) -> dict[str, Any]:  # noqa: N803 - boto3's
        event = json.loads(Payload)
        query = dict(part.split("=") for part in event["rawQueryString"].split("&") if part)
        body = json.dumps(self.api(event["rawPath"], query))
        self.answers.append({"statusCode": 200, "headers": {}, "body": body})
        return super().invoke(FunctionName, Payload)


@pytest.fixture
def sns(monkeypatch: pytest.MonkeyPatch) -> Sns:
    for name, value in {
        "API_FUNCTION": "arn:api",
        "API_AUTH": "jwt",
        "ENVIRONMENT": "production0000ab",
        "OBJECTIVE": "99.999",
        "TOPIC": TOPIC,
    }.items():
        monkeypatch.setenv(name, value)
    topic = Sns()
    customers = [row(f"c{number}", 1, 1) for number in range(10_005)]
    monkeypatch.setattr(boto3, "client", {"lambda": Function(Api(customers)), "sns": topic}.__getitem__)
    return topic


def test_the_report_is_published_with_a_subject_that_sns_takes(sns: Sns) -> None:
    told = handler({"scheduled_time": "2024-10-04T04:00:00Z"}, context())
    (message,) = sns.published
    assert message["TopicArn"] == TOPIC
    assert message["Message"].startswith("API report of Thursday, 2024-10-03 (UTC)\n")
    subject = message["Subject"]
    assert (
        subject == "logstats production0000ab, 2024-10-03: at least 10,000 of 10,005 customers below 99.999 %"
    )
    assert subject.isascii()
    assert subject.isprintable()
    assert len(subject) < 100
    assert told == {"date": "2024-10-03", "subject": subject}


def test_what_fails_publishes_nothing(sns: Sns, monkeypatch: pytest.MonkeyPatch) -> None:
    failing = Lambda({"statusCode": 500, "headers": {}, "body": '{"detail": "The request failed."}'})
    monkeypatch.setattr(boto3, "client", {"lambda": failing, "sns": sns}.__getitem__)
    with pytest.raises(ReportError, match="500"):
        handler({"date": "2024-10-03"}, context())
    assert sns.published == []


@pytest.mark.parametrize(
    ("event", "day"),
    [
        ({"scheduled_time": "2024-10-04T04:00:00Z"}, "2024-10-03"),
        ({"scheduled_time": "2024-10-04T00:00:00Z"}, "2024-10-03"),
        (
            {"scheduled_time": "2024-10-03T23:00:00Z"},
            "2024-10-02",
        ),  # 01:00 in Berlin: the UTC day is not over
        ({"scheduled_time": "2024-10-04T01:00:00+02:00"}, "2024-10-02"),
        ({"scheduled_time": "2024-03-01T06:00:00Z"}, "2024-02-29"),
        ({"date": "2024-09-30"}, "2024-09-30"),
    ],
)
def test_yesterday_is_the_utc_day_before_that_of_the_schedule_s_time(event: dict[str, str], day: str) -> None:
    assert str(reported_day(event)) == day


@pytest.mark.parametrize(
    "event", [{}, {"scheduled_time": "<aws.scheduler.scheduled-time>"}, {"date": "yesterday"}]
)
def test_an_event_without_a_day_is_a_failure(event: dict[str, str]) -> None:
    with pytest.raises((KeyError, ValueError)):
        reported_day(event)
