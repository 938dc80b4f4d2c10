"""`forget`, `rejects` and `redrive`, as commands."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
import sqlalchemy as sa
from moto import mock_aws
from typer.testing import CliRunner

from local.cli import app
from local.commands.redrive import move
from logstats.settings import DatabaseSettings
from tests import oracle, tables
from tests.logs import as_bytes, random_lines

LINES = random_lines(1, 300)


def run(*arguments: str) -> Any:  # noqa: ANN401 - JSON
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    return json.loads(result.stdout)


def test_what_is_forgotten_no_longer_counts(
    database: DatabaseSettings, engine: sa.Engine, tmp_path: Path
) -> None:
    path = tmp_path / "a.log"
    path.write_bytes(as_bytes(LINES) + b"broken\n")
    url = ("--database-url", database.url)
    run("ingest", str(path), *url)
    shown = run("rejects", str(path), *url)
    assert (shown["rejected"], [line["line"] for line in shown["kept"]]) == (1, [301])
    assert run("forget", str(path), *url)["outcome"] == "withdrawn"
    assert tables.statistics(engine) == {}
    assert run("forget", str(path), *url)["outcome"] == "unchanged"
    assert run("ingest", str(path), *url)["outcome"] == "ingested"
    assert tables.statistics(engine) == oracle.statistics(LINES)


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield boto3.client("sqs", region_name="eu-west-1")


def test_a_poison_message_goes_to_the_dead_letters_and_comes_back(sqs: Any) -> None:  # noqa: ANN401
    """moto's SQS: after `maxReceiveCount` receipts without a deletion, the message moves."""
    dead = sqs.create_queue(QueueName="dead")["QueueUrl"]
    policy = {"deadLetterTargetArn": "arn:aws:sqs:eu-west-1:123456789012:dead", "maxReceiveCount": 2}
    queue = sqs.create_queue(
        QueueName="logs", Attributes={"VisibilityTimeout": "0", "RedrivePolicy": json.dumps(policy)}
    )["QueueUrl"]
    sqs.send_message(QueueUrl=queue, MessageBody="poison")
    for _ in range(4):
        sqs.receive_message(QueueUrl=queue)
    assert move(sqs, dead, queue) == 1
    assert sqs.receive_message(QueueUrl=queue)["Messages"][0]["Body"] == "poison"
    assert move(sqs, dead, queue) == 0
