"""Deploy a synthesised stack with nothing but the AWS API: its assets, then the stack."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cdk.outputs import stack_name
from local.cloud import assets
from local.cloud.emulator import Endpoint
from local.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

STACK = stack_name("local")
_CAPABILITIES: Any = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_POLL_SECONDS = 0.2
"""Each look costs the emulator, which deploys meanwhile, about 10 ms."""


class DeploymentError(UserError):
    """CloudFormation refuses a template or rolls it back; the message is its first reason."""


@dataclass(frozen=True, slots=True)
class Deployer:
    """Deploys to an emulator what the CDK command line would deploy to AWS."""

    emulator: Endpoint
    timeout_seconds: float = 300.0

    def deploy(self, assembly: Path, parameters: dict[str, str], stack: str = STACK) -> dict[str, str]:
        """Create or update a stack.

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
        assets.bootstrap(self.emulator)
        template_url = assets.publish(self.emulator, assembly, stack)
        client: CloudFormationClient = self.emulator.client("cloudformation")
        exists = self._status(client, stack) is not None
        kept: list[ParameterTypeDef] = [
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ]
        started = time.time()
        change = client.update_stack if exists else client.create_stack
        try:
            change(StackName=stack, TemplateURL=template_url, Parameters=kept, Capabilities=_CAPABILITIES)
        except ClientError as error:
            reason = error.response["Error"]["Message"]
            if "No updates are to be performed" not in reason:
                raise DeploymentError(f"The deployment is refused: {reason}") from error
        else:
            if self._settled(client, stack) not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
                raise DeploymentError(f"The deployment has failed: {_first_failure(client, stack, started)}")
        described = client.describe_stacks(StackName=stack)["Stacks"][0]
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", [])}

    def destroy(self, stack: str = STACK) -> None:
        """Delete a stack.

        Raises
        ------
        DeploymentError
            If something of it cannot be deleted.
        """
        client: CloudFormationClient = self.emulator.client("cloudformation")
        started = time.time()
        identifier = client.describe_stacks(StackName=stack)["Stacks"][0]["StackId"]
        client.delete_stack(StackName=stack)
        status = self._settled(client, identifier)
        if status not in (None, "DELETE_COMPLETE"):
            raise DeploymentError(f"The deletion has failed: {_first_failure(client, identifier, started)}")

    def _settled(self, client: "CloudFormationClient", stack: str) -> str | None:
        """Wait until nothing is in progress; return the status."""
        deadline = time.monotonic() + self.timeout_seconds
        while time.monotonic() < deadline:
            status = self._status(client, stack)
            if status is None or not status.endswith("IN_PROGRESS"):
                return status
            time.sleep(_POLL_SECONDS)
        raise DeploymentError(f"{stack} is not ready after {self.timeout_seconds:.0f} seconds")

    @staticmethod
    def _status(client: "CloudFormationClient", stack: str) -> str | None:
        try:
            status = client.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"]
        except ClientError as error:
            if error.response["Error"]["Code"] == "ValidationError":
                return None
            raise
        return None if status == "DELETE_COMPLETE" else status


def _first_failure(client: "CloudFormationClient", stack: str, started: float) -> str:
    """Return why the first resource failed; what came after was cancelled because of it."""
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack)
    events = [event for page in pages for event in page["StackEvents"]]
    for event in reversed(events):  # the newest comes first
        failed = event.get("ResourceStatus", "").endswith("_FAILED")
        if failed and event["Timestamp"].timestamp() >= started - 1:
            reason = event.get("ResourceStatusReason", "no reason given")
            if event["LogicalResourceId"] != stack and "cancelled" not in reason:
                return f"{event['LogicalResourceId']}: {reason}"
    return _first_validation_error(client, stack) or "no resource gives a reason"


def _first_validation_error(client: "CloudFormationClient", stack: str) -> str | None:
    """Return what was found wrong before anything was made; it is no event of the stack."""
    for event in client.describe_events(StackName=stack, Filters={"FailedEvents": True})["OperationEvents"]:
        if reason := event.get("ValidationStatusReason"):
            return f"{event.get('LogicalResourceId', stack)}: {reason}"
    return None
