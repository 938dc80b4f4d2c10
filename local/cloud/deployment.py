"""Deploy a synthesised stack with nothing but the AWS API: its assets, then the stack."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError, WaiterError

from cdk.first_deployment import status
from cdk.outputs import stack_name
from local.cloud import assets
from local.cloud.emulator import Endpoint
from local.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

STACK = stack_name("local")
_CAPABILITIES: Any = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_WAITING: Any = {"Delay": 0.2, "MaxAttempts": 1500}
"""Each look costs the emulator, which deploys meanwhile, about 10 ms."""


class DeploymentError(UserError):
    """CloudFormation refuses a template or rolls it back; the message is its first reason."""


def deploy(
    emulator: Endpoint, assembly: Path, parameters: dict[str, str], stack: str = STACK
) -> dict[str, str]:
    """Create or update a stack, as the CDK command line would on AWS.

    Parameters
    ----------
    assembly
        The folder that synthesis wrote.
    parameters
        Values of the template's parameters.

    Returns
    -------
    dict
        The stack's outputs.

    Raises
    ------
    DeploymentError
        If it fails, after it was rolled back; with the reason of the resource that failed first.
    """
    assets.bootstrap(emulator)
    template_url = assets.publish(emulator, assembly, stack)
    client: CloudFormationClient = emulator.client("cloudformation")
    kept: list[ParameterTypeDef] = [
        {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
    ]
    started = time.time()
    exists = status(client, stack) not in (None, "DELETE_COMPLETE")
    change = client.update_stack if exists else client.create_stack
    try:
        change(StackName=stack, TemplateURL=template_url, Parameters=kept, Capabilities=_CAPABILITIES)
    except ClientError as error:
        reason = error.response["Error"]["Message"]
        if "No updates are to be performed" not in reason:
            raise DeploymentError(f"The deployment is refused: {reason}") from error
    else:
        waiter = client.get_waiter("stack_update_complete" if exists else "stack_create_complete")
        try:
            waiter.wait(StackName=stack, WaiterConfig=_WAITING)
        except WaiterError as error:
            failure = _first_failure(client, stack, started) or error
            raise DeploymentError(f"The deployment has failed: {failure}") from error
    return outputs_of(client, stack)


def outputs_of(client: "CloudFormationClient", stack: str) -> dict[str, str]:
    """Return the outputs of a stack."""
    described = client.describe_stacks(StackName=stack)["Stacks"][0]
    return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}


def _first_failure(client: "CloudFormationClient", stack: str, started: float) -> str | None:
    """Return why the first resource failed; what came after was cancelled because of it."""
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack)
    events = [event for page in pages for event in page["StackEvents"]]
    for event in reversed(events):  # the newest comes first
        failed = event.get("ResourceStatus", "").endswith("_FAILED")
        if failed and event["Timestamp"].timestamp() >= started - 1:
            reason = event.get("ResourceStatusReason", "no reason given")
            if event["LogicalResourceId"] != stack and "cancelled" not in reason:
                return f"{event['LogicalResourceId']}: {reason}"
    # What was found wrong before anything was made is no event of the stack.
    checks = client.describe_events(StackName=stack, Filters={"FailedEvents": True})["OperationEvents"]
    reasons = (
        f"{check.get('LogicalResourceId', stack)}: {check['ValidationStatusReason']}"
        for check in checks
        if check.get("ValidationStatusReason")
    )
    return next(reasons, None)
