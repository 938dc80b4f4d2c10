"""The processor: a container-image function that ingests what the queue announces."""

from aws_cdk import CfnParameter, Duration, Size, Stack
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk import ROOT, outputs
from cdk import parameters as parameters_
from cdk.database import Database
from cdk.functions import common_options
from cdk.layers import function_architecture
from cdk.parameters import Architecture, Parameters

USER = "logstats_writer"


class Processor(Construct):
    """The function, its rights, and its event source mapping.

    Attributes
    ----------
    function
        Reads log objects and writes rejected lines.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        database: Database,
        parameters: Parameters,
    ) -> None:
        super().__init__(scope, construct_id)
        processor = parameters.processor
        self._maximum_concurrency = processor.maximum_concurrency
        self.function = lambda_.DockerImageFunction(
            self,
            "Function",
            description="Ingests log objects",
            code=_image(parameters.architecture),
            architecture=function_architecture(parameters.architecture),
            memory_size=processor.memory_mib,
            ephemeral_storage_size=Size.mebibytes(processor.ephemeral_storage_mib),
            timeout=Duration.seconds(processor.timeout_seconds),
            environment={
                **database.environment(USER),
                **_environment(self, processor),
            },
            **common_options(self, database, parameters.log_retention),
        )
        database.grant_connect(self.function, USER)

    def read_from(self, logs: s3.IBucket) -> None:
        """Read log objects, of any version, from a bucket."""
        self._allow("s3:GetObject", "s3:GetObjectVersion", on=logs.arn_for_objects("*"))
        # Without it S3 answers 403 instead of 404 for an object that is gone.
        self._allow("s3:ListBucket", on=logs.bucket_arn)

    def reject_to(self, rejects: s3.IBucket) -> None:
        """Keep rejected lines in a bucket."""
        self.function.add_environment("REJECTS_BUCKET", rejects.bucket_name)
        # Those of a version that no longer counts are deleted.
        self._allow("s3:PutObject", "s3:DeleteObject", on=rejects.arn_for_objects("*"))

    def consume(self, queue: sqs.IQueue) -> None:
        """Ingest what a queue announces; messages that fail, and only those, return to it."""
        mapping = lambda_.EventSourceMapping(
            self,
            "Deliveries",
            target=self.function,
            event_source_arn=queue.queue_arn,
            batch_size=1,
            max_concurrency=self._maximum_concurrency,
            report_batch_item_failures=True,
        )
        queue.grant_consume_messages(self.function).apply_before(mapping)

    def _allow(self, *actions: str, on: str) -> None:
        self.function.add_to_role_policy(iam.PolicyStatement(actions=list(actions), resources=[on]))


def _image(architecture: Architecture) -> lambda_.DockerImageCode:
    """Return the processor's image; synthesis only hashes its build context (see `.dockerignore`)."""
    arm = architecture == "arm64"
    return lambda_.DockerImageCode.from_image_asset(
        str(ROOT),
        file="functions/processor/Dockerfile",
        platform=ecr_assets.Platform.LINUX_ARM64 if arm else ecr_assets.Platform.LINUX_AMD64,
    )


def _environment(scope: Construct, processor: parameters_.Processor) -> dict[str, str]:
    variables = {}
    if processor.wait_for_system_duration is not None:
        variables["WAIT_FOR_SYSTEM_DURATION"] = processor.wait_for_system_duration
    if processor.forwarded:
        endpoint = CfnParameter(
            Stack.of(scope), outputs.PROCESSOR_ENDPOINT, description="Where the emulator sends invocations"
        )
        variables["MINISTACK_LAMBDA_PROXY_URL"] = endpoint.value_as_string
    return variables
