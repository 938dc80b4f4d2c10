"""Messages move from queue to queue, and none is lost (moto's SQS)."""

import json
from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from cdk import outputs
from local.cli import app
from local.errors import UserError
from local.redrive import in_flight, move

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator["SQSClient"]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("sqs", region_name="eu-west-1")


@pytest.fixture
def dead(sqs: "SQSClient") -> str:
    return sqs.create_queue(QueueName="dead")["QueueUrl"]


@pytest.fixture
def queue(sqs: "SQSClient") -> str:
    return sqs.create_queue(QueueName="logs", Attributes={"VisibilityTimeout": "0"})["QueueUrl"]


def bodies(sqs: "SQSClient", queue: str) -> list[str]:
    found: list[str] = []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found.append(message["Body"])
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return sorted(found)


def test_many_messages_move(sqs: "SQSClient", dead: str, queue: str) -> None:
    sent = sorted(f"message {number}" for number in range(25))
    for body in sent:
        sqs.send_message(QueueUrl=dead, MessageBody=body)
    assert sum(move(sqs, dead, queue)) == len(sent)
    assert bodies(sqs, queue) == sent
    assert bodies(sqs, dead) == []


def test_messages_that_fail_again_at_once_are_not_moved_for_ever(
    sqs: "SQSClient", dead: str, queue: str
) -> None:
    for number in range(25):
        sqs.send_message(QueueUrl=dead, MessageBody=f"message {number}")
    send = sqs.send_message_batch

    def fail_again(**arguments: Any) -> Any:  # noqa: ANN401 - as boto3's
        for entry in arguments["Entries"]:
            sqs.send_message(QueueUrl=dead, MessageBody=entry["MessageBody"])
        return send(**arguments)

    with patch.object(sqs, "send_message_batch", fail_again):
        moved = sum(islice(move(sqs, dead, queue), 10))
    assert 25 <= moved < 35
    assert len(bodies(sqs, dead)) == 25


def test_a_message_that_is_refused_stays(sqs: "SQSClient", dead: str, queue: str) -> None:
    for body in ("good", "refused"):
        sqs.send_message(QueueUrl=dead, MessageBody=body)
    send = sqs.send_message_batch

    def refuse(**arguments: Any) -> dict[str, Any]:  # noqa: ANN401 - as boto3's
        (refused,) = (entry for entry in arguments["Entries"] if entry["MessageBody"] == "refused")
        arguments["Entries"].remove(refused)
        failed = {"Id": refused["Id"], "Code": "Busy", "Message": "too busy", "SenderFault": False}
        return {**send(**arguments), "Failed": [failed]}

    with patch.object(sqs, "send_message_batch", refuse), pytest.raises(UserError, match="too busy"):
        list(move(sqs, dead, queue))
    assert bodies(sqs, queue) == ["good"]
    assert in_flight(sqs, dead) == 1


def test_what_breaks_off_between_sending_and_deleting_loses_nothing(
    sqs: "SQSClient", dead: str, queue: str
) -> None:
    sqs.send_message(QueueUrl=dead, MessageBody="twice")
    with (
        patch.object(sqs, "delete_message", side_effect=ConnectionError),
        pytest.raises(ConnectionError),
    ):
        list(move(sqs, dead, queue))
    assert bodies(sqs, queue) == ["twice"]
    assert in_flight(sqs, dead) == 1


def test_the_command_says_how_many_are_left(
    sqs: "SQSClient", dead: str, queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that somebody else is receiving cannot be moved now."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    found = {outputs.DEAD_LETTER_QUEUE_URL: dead, outputs.QUEUE_URL: queue}
    monkeypatch.setattr("local.commands.redrive.outputs_of", lambda _client, _stack: found)
    command = ["redrive", "--stack", "logstats-test", "--json"]
    for number in range(3):
        sqs.send_message(QueueUrl=dead, MessageBody=f"message {number}")
    sqs.receive_message(QueueUrl=dead, MaxNumberOfMessages=1, VisibilityTimeout=600)
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert json.loads(done.stdout) == {"moved": 2}
    assert done.stderr == "1 more are being received by somebody; call again in a minute\n"
