"""Move messages from one queue to another, losing none (docs/decisions/0014)."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from local.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.literals import QueueAttributeNameType
    from mypy_boto3_sqs.type_defs import MessageTypeDef

_BATCH = 10
_WAIT_SECONDS = 1
"""Long polling asks every server of a queue; an empty answer then means that nothing is visible."""


def move(client: "SQSClient", source: str, target: str) -> Iterator[int]:
    """Move as many messages as are visible now, and yield after each batch how many it were.

    Not all that are ever visible: what another delivery does not help is back while the others are still moved.
    A message is deleted from the source when the target has taken it; one that cannot be deleted is moved again
    some time, and counts once.

    Parameters
    ----------
    source, target
        URLs of the queues.

    Raises
    ------
    UserError
        If the target refuses a message, which then stays in the source.
    """
    left = _count(client, source, "ApproximateNumberOfMessages")
    while messages := _receive(client, source):
        entries = [
            {"Id": str(number), "MessageBody": message["Body"]} for number, message in enumerate(messages)
        ]
        sent = client.send_message_batch(QueueUrl=target, Entries=entries)  # type: ignore[arg-type]  # dictionaries of the right keys
        taken = [messages[int(result["Id"])] for result in sent.get("Successful", [])]
        for message in taken:
            client.delete_message(QueueUrl=source, ReceiptHandle=message["ReceiptHandle"])
        yield len(taken)
        for refused in sent.get("Failed", []):
            raise UserError(f"the queue refuses a message: {refused.get('Message', refused['Code'])}")
        left -= len(taken)
        if left <= 0:
            return


def in_flight(client: "SQSClient", queue: str) -> int:
    """Return how many messages somebody has received lately, and may still delete."""
    return _count(client, queue, "ApproximateNumberOfMessagesNotVisible")


def _count(client: "SQSClient", queue: str, attribute: "QueueAttributeNameType") -> int:
    return int(
        client.get_queue_attributes(QueueUrl=queue, AttributeNames=[attribute])["Attributes"][attribute]
    )


def _receive(client: "SQSClient", queue: str) -> "list[MessageTypeDef]":
    received = client.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=_BATCH, WaitTimeSeconds=_WAIT_SECONDS
    )
    return received.get("Messages", [])
