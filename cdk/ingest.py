"""The ingest: bucket, queue with dead-letter queue, processor."""

from typing import Any

from aws_cdk import Aws, CfnOutput, CfnParameter, Duration, RemovalPolicy, Size, Stack
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk import outputs
from cdk.bundling import ROOT
from cdk.database import Database
from cdk.functions import common_options
from cdk.layers import function_architecture
from cdk.parameters import Architecture, Parameters, Processor

USER = "logstats_writer"
VISIBILITY_FACTOR = 6
"""Visibility timeout over function timeout; AWS's advice for SQS event sources, which lets Lambda throttle."""
MAX_RECEIVES = 5


class Ingest(Construct):
    """What turns an uploaded log object into statistics.

    Attributes
    ----------
    logs
        The bucket that log objects are uploaded to.
    function
        The processor.
    """

    def __init__(
        self, scope: Construct, construct_id: str, database: Database, parameters: Parameters
    ) -> None:
        super().__init__(scope, construct_id)
        processor = parameters.processor
        self._dead_letters = _queue(self, "DeadLetters", retention_period=Duration.days(14))
        self._queue = _queue(
            self,
            "Queue",
            visibility_timeout=Duration.seconds(VISIBILITY_FACTOR * processor.timeout_seconds),
            retention_period=Duration.days(14),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self._dead_letters, max_receive_count=MAX_RECEIVES),
        )
        name = f"logstats-{parameters.environment}"
        self.logs = self._logs_bucket(f"{name}-logs", retain=parameters.retain_data)
        self._rejects = _bucket(self, "Rejects", f"{name}-rejects", retain=parameters.retain_data)
        self._rejects.add_lifecycle_rule(expiration=Duration.days(90))
        self.function = self._processor(database, parameters)
        deliveries = lambda_.EventSourceMapping(
            self,
            "Deliveries",
            target=self.function,
            event_source_arn=self._queue.queue_arn,
            batch_size=1,
            max_concurrency=processor.maximum_concurrency,
            report_batch_item_failures=True,
        )
        self._queue.grant_consume_messages(self.function).apply_before(deliveries)
        self._add_outputs()

    def _logs_bucket(self, name: str, *, retain: bool) -> s3.Bucket:
        """Return the bucket, which announces new objects to the queue.

        The notification is a property of the bucket itself, not CDK's custom resource, whose function may
        reconfigure every bucket. It needs the queue's policy first; the fixed name breaks the circle.
        """
        bucket = _bucket(self, "Logs", name, retain=retain, versioned=True)
        bucket.add_lifecycle_rule(noncurrent_version_expiration=Duration.days(30))
        self._queue.add_to_resource_policy(
            iam.PolicyStatement(
                principals=[iam.ServicePrincipal("s3.amazonaws.com")],
                actions=["sqs:SendMessage"],
                resources=[self._queue.queue_arn],
                conditions={
                    "ArnEquals": {"aws:SourceArn": f"arn:{Aws.PARTITION}:s3:::{_bucket_name(name)}"},
                    "StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID},
                },
            )
        )
        resource = bucket.node.default_child
        assert isinstance(resource, s3.CfnBucket)  # noqa: S101 - what an L2 bucket is made of
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[
                s3.CfnBucket.QueueConfigurationProperty(
                    event="s3:ObjectCreated:*", queue=self._queue.queue_arn
                )
            ]
        )
        policy = self._queue.node.find_child("Policy")
        resource.node.add_dependency(policy)
        return bucket

    def _processor(self, database: Database, parameters: Parameters) -> lambda_.DockerImageFunction:
        processor = parameters.processor
        function = lambda_.DockerImageFunction(
            self,
            "Processor",
            description="Ingests log objects",
            code=_image(parameters.architecture),
            architecture=function_architecture(parameters.architecture),
            memory_size=processor.memory_mib,
            ephemeral_storage_size=Size.mebibytes(processor.ephemeral_storage_mib),
            timeout=Duration.seconds(processor.timeout_seconds),
            environment={
                **database.environment(USER),
                "REJECTS_BUCKET": self._rejects.bucket_name,
                **_processor_environment(self, processor),
            },
            **common_options(self, database, parameters.log_retention),
        )
        database.grant_connect(function, USER)
        function.add_to_role_policy(
            iam.PolicyStatement(
                actions=["s3:GetObject", "s3:GetObjectVersion"], resources=[self.logs.arn_for_objects("*")]
            )
        )
        # Without it S3 answers 403 instead of 404 for an object that is gone.
        function.add_to_role_policy(
            iam.PolicyStatement(actions=["s3:ListBucket"], resources=[self.logs.bucket_arn])
        )
        function.add_to_role_policy(
            iam.PolicyStatement(actions=["s3:PutObject"], resources=[self._rejects.arn_for_objects("*")])
        )
        return function

    def _add_outputs(self) -> None:
        stack = Stack.of(self)
        CfnOutput(stack, outputs.LOGS_BUCKET, value=self.logs.bucket_name)
        CfnOutput(stack, outputs.REJECTS_BUCKET, value=self._rejects.bucket_name)
        CfnOutput(stack, outputs.QUEUE_URL, value=self._queue.queue_url)
        CfnOutput(stack, outputs.DEAD_LETTER_QUEUE_URL, value=self._dead_letters.queue_url)
        CfnOutput(stack, outputs.PROCESSOR_FUNCTION, value=self.function.function_name)


def _queue(scope: Construct, construct_id: str, **options: Any) -> sqs.Queue:  # noqa: ANN401 - CDK's
    return sqs.Queue(
        scope, construct_id, encryption=sqs.QueueEncryption.SQS_MANAGED, enforce_ssl=True, **options
    )


def _bucket_name(name: str) -> str:
    """Return a name that no other account or region has."""
    return f"{name}-{Aws.ACCOUNT_ID}-{Aws.REGION}"


def _bucket(
    scope: Construct, construct_id: str, name: str, *, retain: bool, versioned: bool = False
) -> s3.Bucket:
    return s3.Bucket(
        scope,
        construct_id,
        bucket_name=_bucket_name(name),
        versioned=versioned,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        lifecycle_rules=[s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(7))],
        removal_policy=RemovalPolicy.RETAIN if retain else RemovalPolicy.DESTROY,
    )


def _image(architecture: Architecture) -> lambda_.DockerImageCode:
    """Return the processor's image; synthesis only hashes its build context (see `.dockerignore`)."""
    arm = architecture == "arm64"
    return lambda_.DockerImageCode.from_image_asset(
        str(ROOT),
        file="functions/processor/Dockerfile",
        platform=ecr_assets.Platform.LINUX_ARM64 if arm else ecr_assets.Platform.LINUX_AMD64,
    )


def _processor_environment(scope: Construct, processor: Processor) -> dict[str, str]:
    variables = {}
    if processor.wait_for_system_duration is not None:
        variables["WAIT_FOR_SYSTEM_DURATION"] = processor.wait_for_system_duration
    if processor.forwarded:
        endpoint = CfnParameter(
            Stack.of(scope), outputs.PROCESSOR_ENDPOINT, description="Where the emulator sends invocations"
        )
        variables["MINISTACK_LAMBDA_PROXY_URL"] = endpoint.value_as_string
    return variables
