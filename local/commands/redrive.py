"""`logstats redrive`: bring messages back from the dead-letter queue."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from local.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient


def redrive(
    dead_letters: Annotated[
        str, typer.Option("--from", envvar="DEAD_LETTER_QUEUE_URL", help="URL of the dead-letter queue.")
    ],
    queue: Annotated[str, typer.Option("--to", envvar="QUEUE_URL", help="URL of the processor's queue.")],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print the count as one line of JSON.")] = False,
) -> None:
    """Deliver the messages of the dead-letter queue again, after the cause was fixed.

    A message is deleted there when the queue has taken it: one that is moved twice counts once.
    """
    import boto3  # noqa: PLC0415 - slow to import
    from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415

    try:
        moved = move(boto3.client("sqs"), dead_letters, queue)
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"the messages cannot be moved: {error}") from error
    typer.echo(json.dumps({"moved": moved}) if as_json else f"{moved:,} messages delivered again")


def move(client: "SQSClient", source: str, target: str) -> int:
    """Move all visible messages from one queue to another, and return how many."""
    moved = 0
    while messages := client.receive_message(QueueUrl=source, MaxNumberOfMessages=10, WaitTimeSeconds=1).get(
        "Messages", []
    ):
        for message in messages:
            client.send_message(QueueUrl=target, MessageBody=message["Body"])
            client.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
            moved += 1
    return moved
