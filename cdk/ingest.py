"""The ingest: bucket, queue with dead-letter queue, processor."""

from typing import Any

from aws_cdk import Aws, CfnOutput, Duration, Stack
from aws_cdk import aws_events as events
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from cdk import outputs
from cdk.buckets import bucket_name, private_bucket
from cdk.database import Database
from cdk.deliveries import accept
from cdk.environment import Environment
from cdk.processor import Processor, ProcessorParameters
from processor.undeliverable import PREFIX

VISIBILITY_FACTOR = 6
"""Visibility timeout over function timeout: AWS's advice for event sources, so that Lambda can throttle."""
MAX_RECEIVES = 5
_KEPT_MESSAGES = Duration.days(14)


class Ingest(Construct):
    """Two buckets, the queue and the dead letters of their announcements, and the processor that ingests."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        database: Database,
        parameters: ProcessorParameters,
        environment: Environment,
    ) -> None:
        super().__init__(scope, construct_id)
        self.dead_letters = _queue(self, "DeadLetters")
        self.queue = _queue(
            self,
            "Queue",
            visibility_timeout=Duration.seconds(VISIBILITY_FACTOR * parameters.timeout_seconds),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=MAX_RECEIVES),
        )
        name = f"logstats-{environment.environment}"
        removals = parameters.withdraw_removed_objects
        self.logs: s3.IBucket
        if environment.logs_bucket:
            self.logs = self._existing_bucket(environment.logs_bucket, removals=removals)
        else:
            self.logs = self._logs_bucket(f"{name}-logs", environment, removals=removals)
        self.rejects = self._rejects_bucket(f"{name}-rejects", environment)
        buckets = (self.logs, self.rejects)
        self.processor = Processor(self, "Processor", buckets, self.queue, database, parameters, environment)
        self._add_outputs()

    def _existing_bucket(self, name: str, *, removals: bool) -> s3.IBucket:
        """Return a bucket that somebody else owns, whose events EventBridge brings to the queue."""
        rule = events.CfnRule(
            self,
            "Announcements",
            description="Log objects of an existing bucket",
            event_pattern={
                "source": ["aws.s3"],
                "detail-type": ["Object Created", *(["Object Deleted"] if removals else [])],
                "detail": {"bucket": {"name": [name]}},
            },
            targets=[events.CfnRule.TargetProperty(id="Queue", arn=self.queue.queue_arn)],
        )
        _let_send(self.queue, "events.amazonaws.com", rule.attr_arn)
        return s3.Bucket.from_bucket_name(self, "Logs", name)

    def _logs_bucket(self, name: str, environment: Environment, *, removals: bool) -> s3.Bucket:
        """Return the bucket, which announces events to the queue.

        The notification is a property of the bucket itself, not CDK's custom resource, whose function may
        reconfigure every bucket. It needs the queue's policy first; the known name breaks the circle.
        """
        retain = environment.retain_data
        bucket = private_bucket(self, "Logs", name, retain=retain, versioned=True)
        _expire(bucket, environment.log_objects_days)
        if environment.archive_days:
            bucket.add_lifecycle_rule(
                transitions=[
                    s3.Transition(
                        storage_class=s3.StorageClass.GLACIER_INSTANT_RETRIEVAL,
                        transition_after=Duration.days(environment.archive_days),
                    )
                ]
            )
        bucket.add_lifecycle_rule(noncurrent_version_expiration=Duration.days(30))
        # Of a deleted object nothing remains then. A rule with a number of days does this by itself, and cannot say so.
        bucket.add_lifecycle_rule(expired_object_delete_marker=True)
        accept(bucket, environment.deliveries)
        arn = f"arn:{Aws.PARTITION}:s3:::{bucket_name(name, retain=retain)}"
        account = {"aws:SourceAccount": Aws.ACCOUNT_ID}  # the bucket's ARN does not name it
        _let_send(self.queue, "s3.amazonaws.com", arn, {"StringEquals": account})
        resource = _resource(bucket)
        resource.notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            queue_configurations=[
                s3.CfnBucket.QueueConfigurationProperty(event=event, queue=self.queue.queue_arn)
                for event in ("s3:ObjectCreated:*", *(("s3:ObjectRemoved:*",) if removals else ()))
            ]
        )
        resource.node.add_dependency(self.queue.node.find_child("Policy"))
        return bucket

    def _rejects_bucket(self, name: str, environment: Environment) -> s3.Bucket:
        """Return the bucket, whose undeliverable messages are announced to the dead-letter queue.

        By EventBridge: a notification of S3 would begin with a test event, which waits there and raises the alarm.
        """
        bucket = private_bucket(self, "Rejects", name, retain=environment.retain_data)
        _expire(bucket, environment.rejected_lines_days)
        _resource(bucket).notification_configuration = s3.CfnBucket.NotificationConfigurationProperty(
            event_bridge_configuration=s3.CfnBucket.EventBridgeConfigurationProperty(
                event_bridge_enabled=True
            )
        )
        rule = events.CfnRule(
            self,
            "Undeliverable",
            description="Messages that another delivery does not help",
            event_pattern={
                "source": ["aws.s3"],
                "detail-type": ["Object Created"],
                "detail": {"bucket": {"name": [bucket.bucket_name]}, "object": {"key": [{"prefix": PREFIX}]}},
            },
            targets=[events.CfnRule.TargetProperty(id="DeadLetters", arn=self.dead_letters.queue_arn)],
        )
        _let_send(self.dead_letters, "events.amazonaws.com", rule.attr_arn)
        return bucket

    def _add_outputs(self) -> None:
        stack = Stack.of(self)
        CfnOutput(stack, outputs.LOGS_BUCKET, value=self.logs.bucket_name)
        CfnOutput(stack, outputs.REJECTS_BUCKET, value=self.rejects.bucket_name)
        CfnOutput(stack, outputs.QUEUE_URL, value=self.queue.queue_url)
        CfnOutput(stack, outputs.DEAD_LETTER_QUEUE_URL, value=self.dead_letters.queue_url)
        CfnOutput(stack, outputs.PROCESSOR_FUNCTION, value=self.processor.function.function_name)


def _let_send(
    queue: sqs.Queue, service: str, source_arn: str, conditions: dict[str, Any] | None = None
) -> None:
    queue.add_to_resource_policy(
        iam.PolicyStatement(
            principals=[iam.ServicePrincipal(service)],
            actions=["sqs:SendMessage"],
            resources=[queue.queue_arn],
            conditions={"ArnEquals": {"aws:SourceArn": source_arn}, **(conditions or {})},
        )
    )


def _expire(bucket: s3.Bucket, days: int | None) -> None:
    if days is not None:
        bucket.add_lifecycle_rule(expiration=Duration.days(days))


def _resource(bucket: s3.Bucket) -> s3.CfnBucket:
    resource = bucket.node.default_child
    assert isinstance(resource, s3.CfnBucket)  # noqa: S101 - what an L2 bucket is made of
    return resource


def _queue(scope: Construct, construct_id: str, **options: Any) -> sqs.Queue:  # noqa: ANN401 - CDK's
    return sqs.Queue(
        scope,
        construct_id,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        retention_period=_KEPT_MESSAGES,
        **options,
    )
