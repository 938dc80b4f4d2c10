"""Check what an account and region must offer before the stack can be deployed, for `cdk.preflight`."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import boto3
from botocore.exceptions import ClientError

from cdk import first_deployment
from cdk.database import AuroraParameters
from cdk.outputs import stack_name
from cdk.parameters import Parameters
from cdk.regions import REGIONS

_STUCK = {"UPDATE_ROLLBACK_FAILED": "continue-update-rollback", "DELETE_FAILED": "delete-stack"}
_UNRESERVED = 100
"""Concurrent executions that must stay unreserved (Lambda developer guide, "Configuring reserved concurrency")."""
_MEMORY_OF_NEW_ACCOUNTS = 3008
_BOOTSTRAP = "/cdk-bootstrap/hnb659fds/version"
_BOOTSTRAP_VERSION = 6
"""The least that the synthesised template accepts."""


@dataclass(frozen=True)
class Finding:
    """A line that says what is wrong, and what to do; a mere note does not stop the deployment."""

    text: str
    fails: bool = True


@dataclass(frozen=True)
class Account:
    """An account and region, and what is to be deployed there."""

    session: boto3.Session
    parameters: Parameters
    number: str

    @property
    def stack(self) -> str:
        """The name of the stack."""
        return stack_name(self.parameters.environment)

    @cached_property
    def status(self) -> str | None:
        """Of the stack, or None if there is none."""
        return first_deployment.status(self.session.client("cloudformation"), self.stack)

    @property
    def is_new(self) -> bool:
        """Tell whether this would be the stack's first deployment, or its first that succeeds."""
        return self.status is None or self.status in first_deployment.FAILED


def stack(account: Account) -> Iterator[Finding]:
    """Look for a stack that an earlier operation has left in a state from which nothing can be deployed."""
    if account.status in first_deployment.FAILED:
        yield Finding(
            f"stack: its first deployment has failed ({account.status}); make deploy deletes it and begins again",
            fails=False,
        )
    elif account.status in _STUCK:
        yield Finding(
            f"stack: it is {account.status}: aws cloudformation {_STUCK[account.status]} --stack-name {account.stack}"
        )
    elif account.status and account.status.endswith("_IN_PROGRESS"):
        yield Finding(f"stack: it is {account.status}: wait until that is over")


def bootstrap(account: Account) -> Iterator[Finding]:
    """Look for what `cdk bootstrap` makes: the bucket and the repository of the assets, and the roles."""
    try:
        found = account.session.client("ssm").get_parameter(Name=_BOOTSTRAP)["Parameter"]["Value"]
    except ClientError as error:
        if error.response["Error"]["Code"] != "ParameterNotFound":
            raise
        found = "0"
    if int(found) < _BOOTSTRAP_VERSION:
        state = f"its version is {found}" if int(found) else "it has not been done"
        yield Finding(
            f"bootstrap: {state}: make cdk CDK='bootstrap aws://{account.number}/{account.session.region_name}'"
        )


def concurrency(account: Account) -> Iterator[Finding]:
    """Ask whether the API's function can reserve its concurrency: a new account may have ten executions in all."""
    wanted = account.parameters.api.maximum_concurrency
    limits = account.session.client("lambda").get_account_settings()["AccountLimit"]
    unreserved = limits["UnreservedConcurrentExecutions"]
    if account.is_new and wanted and unreserved - wanted < _UNRESERVED:
        yield Finding(
            f"concurrency: the API would reserve {wanted} of {unreserved} executions, and {_UNRESERVED} must stay unreserved:"
            ' "api": {"maximum_concurrency": null} in cdk.json, or a higher quota (Service Quotas, Lambda, L-B99A9384)'
        )


def memory(account: Account) -> Iterator[Finding]:
    """Say what no API tells: that new accounts have a limit of their own."""
    for name, wanted in (
        ("processor", account.parameters.processor.memory_mib),
        ("api", account.parameters.api.memory_mib),
    ):
        if account.is_new and wanted > _MEMORY_OF_NEW_ACCOUNTS:
            yield Finding(
                f"memory: {name}.memory_mib is {wanted}, and new accounts may have {_MEMORY_OF_NEW_ACCOUNTS} only: lower it, or"
                " ask AWS support",
                fails=False,
            )


def region(account: Account) -> Iterator[Finding]:
    """Ask what the template's rule asks first: whether the region has the Data API, and a certificate that functions trust."""
    name = account.session.region_name
    if isinstance(account.parameters.database, AuroraParameters) and name not in REGIONS:
        yield Finding(
            f"region: the stack cannot be in {name}: choose one of {', '.join(REGIONS)} (docs/decisions/0011)"
        )


def engine(account: Account) -> Iterator[Finding]:
    """Ask whether the region has the database's version, and whether it can pause there."""
    database = account.parameters.database
    if not isinstance(database, AuroraParameters):
        return
    offered = account.session.client("rds").describe_db_engine_versions(
        Engine="aurora-postgresql", EngineVersion=database.engine_version
    )["DBEngineVersions"]
    if not offered:
        yield Finding(
            f"engine: {account.session.region_name} does not offer Aurora PostgreSQL {database.engine_version}:"
            ' "database": {"engine_version": …} in cdk.json, or another region'
        )
    elif database.minimum_acu < (
        least := offered[0].get("ServerlessV2FeaturesSupport", {}).get("MinCapacity", 0)
    ):
        yield Finding(
            f'engine: it has at least {least:g} ACU there: "database": {{"minimum_acu": {least:g}}} in cdk.json'
        )


def buckets(account: Account) -> Iterator[Finding]:
    """Ask whether the names are free, or for an existing bucket, whether its events can be heard."""
    s3 = account.session.client("s3")
    environment = account.parameters
    if environment.logs_bucket:
        try:
            told = s3.get_bucket_notification_configuration(Bucket=environment.logs_bucket)
        except ClientError as error:
            yield Finding(
                f"buckets: {environment.logs_bucket} cannot be looked at ({error.response['Error']['Code']}):"
                " logs_bucket must name a bucket of this account"
            )
            return
        if "EventBridgeConfiguration" not in told:
            yield Finding(
                f"buckets: {environment.logs_bucket} does not send its events to EventBridge: switch it on among the bucket's"
                " properties (docs/deploy.md, An existing bucket)"
            )
    if not account.is_new or environment.retain_data:
        return  # theirs are there, or have a piece of the new stack's id in their names
    for kind in ("rejects",) if environment.logs_bucket else ("logs", "rejects"):
        name = f"{account.stack}-{kind}-{account.number}-{account.session.region_name}"
        try:
            s3.head_bucket(Bucket=name)
        except ClientError as error:
            if error.response["Error"]["Code"] == "404":
                continue
        yield Finding(
            f"buckets: {name} is there already: empty and delete it, or name the environment otherwise"
        )


def alarms(account: Account) -> Iterator[Finding]:
    """Say so where nobody is told."""
    if account.parameters.retain_data and account.parameters.monitoring.email == "none":
        yield Finding(
            "alarms: they reach nobody until somebody subscribes to the topic AlarmTopic:"
            f' "monitoring": {{"email": "you@example.com"}} in environments.{account.parameters.environment} of cdk.json',
            fails=False,
        )


CHECKS: tuple[Callable[[Account], Iterator[Finding]], ...] = (
    *(stack, bootstrap, concurrency, memory, region, engine, buckets, alarms),
)
