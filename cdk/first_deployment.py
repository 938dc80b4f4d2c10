"""Let a first deployment that has failed be repeated: ``python -m cdk.first_deployment ENVIRONMENT``, a part of ``make deploy``.

CloudFormation can only delete the stack of such a deployment. The CDK command line does that before it begins again, and it is
refused, because it has switched the stack's termination protection on before the first attempt. There is nothing to protect:
the rollback has removed everything.
"""

import os
import sys
from typing import TYPE_CHECKING, Final

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from cdk.outputs import stack_name

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient

FAILED: Final = {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}
"""The states of a stack whose first deployment has failed: those in which the CDK command line deletes it."""


def status(client: "CloudFormationClient", stack: str) -> str | None:
    """Return the state of a stack, or None if there is none."""
    try:
        return str(client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if error.response["Error"]["Code"] == "ValidationError":
            return None
        raise


def permit_repetition(client: "CloudFormationClient", stack: str) -> bool:
    """Switch the termination protection off if the stack's first deployment has failed; return whether it has."""
    failed = status(client, stack) in FAILED
    if failed:
        client.update_termination_protection(StackName=stack, EnableTerminationProtection=False)
    return failed


def main() -> None:
    """Run the command line."""
    stack = stack_name(sys.argv[1])
    try:
        client = boto3.client("cloudformation", region_name=os.environ.get("AWS_REGION"))
        if permit_repetition(client, stack):
            print(f"The first deployment of {stack} has failed; it is deleted, and made again")
    except (BotoCoreError, ClientError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
