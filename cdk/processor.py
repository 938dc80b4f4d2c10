"""The processor: a container-image function that ingests what the queue announces."""

import json
from typing import Annotated, Any

from aws_cdk import CfnParameter, Duration, Stack
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct
from pydantic import Field
from pydantic.dataclasses import dataclass

from cdk import ROOT, outputs
from cdk.checks import acknowledge
from cdk.database import Database
from cdk.deliveries import format_rules, ignored_keys
from cdk.environment import STRICT, Environment, as_variable
from cdk.functions import common_options, grant
from cdk.layers import function_architecture
from logstats.domain.breakdown import PARTS
from migrate.roles import WRITER
from processor.settings import IGNORED_KEYS

USER = WRITER
IDLE_SESSION_SECONDS = 10
"""After which the database ends a session of the processor's; making a new one takes some 50 ms."""


@dataclass(frozen=True, config=STRICT)
class ProcessorParameters:
    """The ingest.

    Attributes
    ----------
    memory_mib
        Lambda gives one virtual CPU per 1769 MiB, so that 3538 MiB would be the two that the flow uses; new accounts may
        have no more than 3008. The flow's memory follows customers and days, and needs far less.
    timeout_seconds
        Of one log object. At most five minutes, so that a message is invisible for at most half an hour.
    maximum_concurrency
        Log objects ingested at once: bounds the connections to the database.
    withdraw_removed_objects
        Whether the deletion of a log object takes it out of the statistics. What a lifecycle rule expires counts on.
    forwarded
        Whether the emulator forwards invocations to the template parameter `ProcessorEndpoint`.
    """

    memory_mib: Annotated[int, Field(ge=512, le=10_240)] = 3008
    timeout_seconds: Annotated[int, Field(ge=1, le=300)] = 300
    maximum_concurrency: Annotated[int, Field(ge=2, le=1000)] = 10
    withdraw_removed_objects: bool = False
    forwarded: bool = False


class Processor(Construct):
    """The function, its rights, and its event source mapping."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        buckets: tuple[s3.IBucket, s3.Bucket],
        queue: sqs.IQueue,
        database: Database,
        parameters: ProcessorParameters,
        environment: Environment,
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = lambda_.DockerImageFunction(
            self,
            "Function",
            description="Ingests log objects",
            code=lambda_.DockerImageCode.from_image_asset(**_image_options(environment)),
            architecture=function_architecture(environment.architecture),
            memory_size=parameters.memory_mib,
            timeout=Duration.seconds(parameters.timeout_seconds),
            environment={
                **database.environment(USER),
                "REJECTS_BUCKET": buckets[1].bucket_name,
                # A frozen function's sessions would keep Aurora awake; that of an attempt is spared (`ledger/attempts.py`).
                "DATABASE_IDLE_SESSION_TIMEOUT_SECONDS": str(IDLE_SESSION_SECONDS),
                **_environment(self, parameters),
                **reading_variables(environment),
            },
            **common_options(self, database.placement, environment.log_retention),
        )
        database.grant_connect(self.function, USER)
        assert self.function.role  # noqa: S101 - it was made with one
        grant_ingest(self.function.role, *buckets)
        # Messages that fail, and only those, return to the queue.
        mapping = lambda_.EventSourceMapping(
            self,
            "Deliveries",
            target=self.function,
            event_source_arn=queue.queue_arn,
            batch_size=1,
            max_concurrency=parameters.maximum_concurrency,
            report_batch_item_failures=True,
        )
        queue.grant_consume_messages(self.function).apply_before(mapping)


def grant_ingest(role: iam.IRole, logs: s3.IBucket, rejects: s3.Bucket) -> None:
    """Let a role read log objects, of any version, from one bucket, and keep rejected lines in another."""
    reading = ("s3:GetObject", "s3:GetObjectVersion")
    _grant_objects(role, logs, *reading, why="Any object may be a log object")
    # Rejected lines of a version that no longer counts are deleted; undeliverable messages that come back are read.
    keeping = ("s3:PutObject", "s3:DeleteObject", "s3:GetObject")
    _grant_objects(role, rejects, *keeping, why="Each attempt and each message has an object of its own")
    # Without it S3 answers 403 instead of 404 for an object that is gone; a backfill lists besides.
    grant(role, logs.bucket_arn, "s3:ListBucket")


def _grant_objects(role: iam.IRole, bucket: s3.IBucket, *actions: str, why: str) -> None:
    grant(role, bucket.arn_for_objects("*"), *actions)
    resource = bucket.node.default_child
    if isinstance(resource, s3.CfnBucket):
        arn = f"<{Stack.of(bucket).get_logical_id(resource)}.Arn>"
    else:  # an existing one
        arn = f"arn:<AWS::Partition>:s3:::{bucket.bucket_name}"
    acknowledge(role, f"IAM5[Resource::{arn}/*]", why)


def image(scope: Construct, environment: Environment) -> ecr_assets.DockerImageAsset:
    """Return the processor's image; synthesis only hashes its build context (see `.dockerignore`)."""
    return ecr_assets.DockerImageAsset(scope, "Image", **_image_options(environment))


def _image_options(environment: Environment) -> dict[str, Any]:
    arm = environment.architecture == "arm64"
    return {
        "build_args": {"BASE_IMAGE": environment.base_image} if environment.base_image else None,
        "directory": str(ROOT),
        "file": "functions/processor/Dockerfile",
        "platform": ecr_assets.Platform.LINUX_ARM64 if arm else ecr_assets.Platform.LINUX_AMD64,
    }


def reading_variables(environment: Environment) -> dict[str, str]:
    """Return the variables that say which objects are read, and how."""
    variables = {}
    if formats := format_rules(environment):
        variables["LOG_FORMATS"] = as_variable(formats)
    if (ignored := ignored_keys(environment)) != IGNORED_KEYS:
        variables["IGNORE"] = json.dumps(ignored)
    if environment.breakdown != tuple(PARTS):
        variables["BREAKDOWN"] = ",".join(environment.breakdown)
    if environment.routes:
        variables["ROUTES"] = json.dumps(environment.routes)
    return variables


def _environment(scope: Construct, processor: ProcessorParameters) -> dict[str, str]:
    variables = {}
    if processor.withdraw_removed_objects:
        variables["WITHDRAW_REMOVED_OBJECTS"] = "true"
    if processor.forwarded:
        endpoint = CfnParameter(
            Stack.of(scope), outputs.PROCESSOR_ENDPOINT, description="Where the emulator sends invocations"
        )
        variables["MINISTACK_LAMBDA_PROXY_URL"] = endpoint.value_as_string
    return variables
