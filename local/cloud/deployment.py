"""Deploy a synthesised stack with nothing but the AWS API: assets, then a change set."""

import io
import json
import time
import uuid
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from cdk.outputs import stack_name
from local.cloud.emulator import ACCOUNT, REGION, Endpoint
from local.errors import UserError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.client import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

STACK = stack_name("local")
_BOOTSTRAP_VERSION = "30"
_CAPABILITIES: Any = ["CAPABILITY_NAMED_IAM", "CAPABILITY_AUTO_EXPAND"]
_ASSETS_BUCKET = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
_POLL_SECONDS = 0.05


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
        self._bootstrap()
        template_url = self._publish(assembly, stack)
        client: CloudFormationClient = self.emulator.client("cloudformation")
        exists = self._status(client, stack) is not None
        kept: list[ParameterTypeDef] = [
            {"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()
        ]
        started = time.time()
        self._change(client, stack, template_url, kept, exists)
        status = self._settled(client, stack)
        if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE"):
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

    def _bootstrap(self) -> None:
        """Provide what `cdk bootstrap` would: the version parameter and the bucket of assets."""
        self.emulator.client("ssm").put_parameter(
            Name="/cdk-bootstrap/hnb659fds/version",
            Value=_BOOTSTRAP_VERSION,
            Type="String",
            Overwrite=True,
        )
        try:
            self.emulator.client("s3").create_bucket(Bucket=_ASSETS_BUCKET)
        except ClientError as error:
            if error.response["Error"]["Code"] != "BucketAlreadyOwnedByYou":
                raise

    def _publish(self, assembly: Path, stack: str) -> str:
        """Upload the assets that are not there yet; their keys are digests of their content.

        Returns
        -------
        str
            The URL of the template, which is one of them.
        """
        template_url = ""
        s3 = self.emulator.client("s3")
        manifest = json.loads((assembly / f"{stack}.assets.json").read_text(encoding="utf-8"))
        for asset in manifest["files"].values():
            path = assembly / asset["source"]["path"]
            content: Callable[[Path], bytes] = (
                _zip if asset["source"]["packaging"] == "zip" else Path.read_bytes
            )
            for destination in asset["destinations"].values():
                bucket, key = _resolve(destination["bucketName"]), destination["objectKey"]
                if not _exists(s3, bucket, key):
                    s3.put_object(Bucket=bucket, Key=key, Body=content(path))
                if path.name == f"{stack}.template.json":
                    template_url = f"{self.emulator.endpoint}/{bucket}/{key}"
        return template_url

    def _change(
        self,
        client: "CloudFormationClient",
        stack: str,
        template_url: str,
        parameters: "list[ParameterTypeDef]",
        exists: bool,  # noqa: FBT001 - private
    ) -> None:
        name = f"change-{uuid.uuid4().hex}"
        client.create_change_set(
            StackName=stack,
            ChangeSetName=name,
            ChangeSetType="UPDATE" if exists else "CREATE",
            TemplateURL=template_url,
            Parameters=parameters,
            Capabilities=_CAPABILITIES,
        )
        while True:
            change = client.describe_change_set(StackName=stack, ChangeSetName=name)
            if change["Status"] == "CREATE_COMPLETE":
                client.execute_change_set(StackName=stack, ChangeSetName=name)
                return
            if change["Status"] == "FAILED":
                reason = change.get("StatusReason", "no reason given")
                client.delete_change_set(StackName=stack, ChangeSetName=name)
                if exists and ("didn't contain changes" in reason or "No updates" in reason):
                    return
                raise DeploymentError(f"The deployment is refused: {reason}")
            time.sleep(_POLL_SECONDS)

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
        return None if status in ("REVIEW_IN_PROGRESS", "DELETE_COMPLETE") else status


def _first_failure(client: "CloudFormationClient", stack: str, started: float) -> str:
    """Return why the first resource failed; what came after was cancelled because of it."""
    pages = client.get_paginator("describe_stack_events").paginate(StackName=stack)
    events = [event for page in pages for event in page["StackEvents"]]
    for event in reversed(events):  # the newest comes first
        failed = event.get("ResourceStatus", "").endswith("_FAILED")
        if failed and event["Timestamp"].timestamp() >= started - 1:
            reason = event.get("ResourceStatusReason", "no reason given")
            if "cancelled" not in reason:
                return f"{event['LogicalResourceId']}: {reason}"
    return "no resource gives a reason"


def _resolve(name: str) -> str:
    return name.replace("${AWS::AccountId}", ACCOUNT).replace("${AWS::Region}", REGION)


def _exists(s3: Any, bucket: str, key: str) -> bool:  # noqa: ANN401 - boto3 makes its clients at run time
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except ClientError as error:
        if error.response["ResponseMetadata"]["HTTPStatusCode"] == 404:
            return False
        raise
    return True


def _zip(folder: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder))
    return buffer.getvalue()
