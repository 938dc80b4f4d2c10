"""Logs that services of AWS write into the bucket of log objects: each under its own prefix, in a format that is known.

Each statement is the one that the service's documentation asks for, with the account and the kind of resource that may
write: Elastic Load Balancing, "Enable access logs for your Application Load Balancer"; CloudFront, "Configure standard
logging (v2)", which only us-east-1 has; Amazon S3, "Enabling server access logging"; Amazon Data Firehose, "Controlling
access", which writes with a role of ours.
"""

from typing import Any

from aws_cdk import Aws, CfnOutput, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3

from cdk import outputs
from cdk.checks import acknowledge
from cdk.environment import Environment, Source
from processor.reading.rules import FormatRule

FIREHOSE_ERRORS = "firehose-errors/"
"""Names the prefix of what Firehose could not deliver, which is no log object."""

_FORMATS: dict[Source, str] = {"alb": "aws-alb", "cloudfront": "aws-cloudfront", "s3": "aws-s3"}
"""Firehose delivers what it is sent: the content decides, or a rule of one's own."""


def format_rules(environment: Environment) -> tuple[FormatRule, ...]:
    """Return the environment's rules, and one for each source of deliveries whose prefix has none."""
    stated = {rule.prefix for rule in environment.formats}
    return environment.formats + tuple(
        FormatRule(prefix=f"{source}/", format=_FORMATS[source])
        for source in environment.deliveries
        if source in _FORMATS and f"{source}/" not in stated
    )


def ignored_keys(environment: Environment) -> tuple[str, ...]:
    """Return the patterns of keys that are no log objects."""
    errors = (f"{FIREHOSE_ERRORS}*",) if "firehose" in environment.deliveries else ()
    return environment.ignore + errors


def accept(bucket: s3.Bucket, sources: tuple[Source, ...]) -> None:
    """Let services write into a bucket."""
    for source in dict.fromkeys(sources):
        if source == "firehose":
            _add_firehose_role(bucket)
        else:
            principal, path, conditions = _writer(source)
            bucket.add_to_resource_policy(
                iam.PolicyStatement(
                    principals=[iam.ServicePrincipal(principal)],
                    actions=["s3:PutObject"],
                    resources=[bucket.arn_for_objects(f"{source}/{path}")],
                    conditions=conditions,
                )
            )


def _writer(source: Source) -> tuple[str, str, dict[str, Any]]:
    """Return who writes, where below the source's prefix, and on which conditions."""
    ours = {"aws:SourceAccount": Aws.ACCOUNT_ID}
    if source == "alb":
        balancers = f"elasticloadbalancing:{Aws.REGION}:{Aws.ACCOUNT_ID}:loadbalancer/*"
        return (
            "logdelivery.elasticloadbalancing.amazonaws.com",
            f"AWSLogs/{Aws.ACCOUNT_ID}/*",
            # Elastic Load Balancing documents no condition on the account besides that of the ARN.
            {"ArnLike": {"aws:SourceArn": f"arn:{Aws.PARTITION}:{balancers}"}},
        )
    if source == "cloudfront":
        return (
            "delivery.logs.amazonaws.com",
            "*",
            {
                "StringEquals": {**ours, "s3:x-amz-acl": "bucket-owner-full-control"},
                "ArnLike": {
                    "aws:SourceArn": f"arn:{Aws.PARTITION}:logs:us-east-1:{Aws.ACCOUNT_ID}:delivery-source:*"
                },
            },
        )
    return (
        "logging.s3.amazonaws.com",
        "*",
        {"StringEquals": ours, "ArnLike": {"aws:SourceArn": f"arn:{Aws.PARTITION}:s3:::*"}},
    )


def _add_firehose_role(bucket: s3.Bucket) -> None:
    """Add a role for delivery streams of this account, and an output with its ARN."""
    role = iam.Role(
        bucket,
        "Firehose",
        description="Delivery streams that write log objects",
        assumed_by=iam.ServicePrincipal(
            "firehose.amazonaws.com", conditions={"StringEquals": {"sts:ExternalId": Aws.ACCOUNT_ID}}
        ),
    )
    objects = [bucket.arn_for_objects(f"{prefix}*") for prefix in ("firehose/", FIREHOSE_ERRORS)]
    for actions, resources in (
        (["s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject"], objects),
        (["s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"], [bucket.bucket_arn]),
    ):
        role.add_to_policy(iam.PolicyStatement(actions=actions, resources=resources))
    resource = bucket.node.default_child
    assert isinstance(resource, s3.CfnBucket)  # noqa: S101 - what an L2 bucket is made of
    name = Stack.of(bucket).get_logical_id(resource)
    for prefix in ("firehose/", FIREHOSE_ERRORS):
        acknowledge(role, f"IAM5[Resource::<{name}.Arn>/{prefix}*]", "Firehose names its objects itself")
    CfnOutput(Stack.of(bucket), outputs.FIREHOSE_ROLE, value=role.role_arn)
