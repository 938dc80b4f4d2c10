"""`logstats redrive`: bring messages back from the dead-letter queue."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import boto3
import typer
from botocore.exceptions import BotoCoreError, ClientError

from cdk import outputs
from local.cloud.deployment import outputs_of
from local.cloud.emulator import Endpoint
from local.cloud.state import State
from local.commands.folder import LOCAL_FOLDER, StateOption
from local.display import progress_console
from local.errors import UserError
from local.redrive import in_flight, move

_LOCAL_STACK = outputs.stack_name("local")


def redrive(
    *,
    stack: Annotated[
        str,
        typer.Option(
            "--stack", metavar="NAME", help="The stack whose queues they are; on AWS: logstats-dev, ..."
        ),
    ] = _LOCAL_STACK,
    state: StateOption = LOCAL_FOLDER,
    as_json: Annotated[bool, typer.Option("--json", help="Print the count as one line of JSON.")] = False,
) -> None:
    """Deliver the messages of the dead-letter queue again.

    Do it after the cause was removed. A message is deleted there when the queue has taken it: one that is moved twice counts once.
    """
    client = _clients(stack, state)
    moved = 0
    try:
        found = outputs_of(client("cloudformation"), stack)
        sqs, dead_letters = client("sqs"), found[outputs.DEAD_LETTER_QUEUE_URL]
        with progress_console().status("") as status:
            for count in move(sqs, dead_letters, found[outputs.QUEUE_URL]):
                moved += count
                status.update(_told(moved))
        left = in_flight(sqs, dead_letters)
    except (BotoCoreError, ClientError) as error:
        raise UserError(f"{moved:,} messages were moved, and then: {error}") from error
    if left:
        typer.echo(f"{left:,} more are being received by somebody; call again in a minute", err=True)
    typer.echo(json.dumps({"moved": moved}) if as_json else _told(moved))


def _told(moved: int) -> str:
    return f"{moved:,} {'message' if moved == 1 else 'messages'} delivered again"


def _clients(stack: str, state: Path) -> Callable[[str], Any]:
    """Return what makes clients: of the local cloud that runs here, or of the user's AWS configuration."""
    if stack == _LOCAL_STACK:
        address = State(state.resolve()).endpoint()
        if address:
            return Endpoint(*address).client
        if "AWS_ENDPOINT_URL" not in os.environ:
            raise UserError(f"No local cloud runs in {state}; for a stack on AWS, name it with --stack")
    return boto3.client  # type: ignore[return-value]  # its overloads know each service
