"""Buckets: private, encrypted, TLS only."""

from aws_cdk import Aws, Duration, Fn, RemovalPolicy
from aws_cdk import aws_s3 as s3
from constructs import Construct

from cdk.checks import acknowledge


def bucket_name(name: str, *, retain: bool) -> str:
    """Return a name that no other account or region has, and that is known before the bucket is made.

    A bucket that outlives its stack has a name that no later stack wants: it ends with a piece of the stack's id.
    """
    stack = Fn.select(0, Fn.split("-", Fn.select(2, Fn.split("/", Aws.STACK_ID))))
    return f"{name}-{Aws.ACCOUNT_ID}-{stack if retain else Aws.REGION}"


def private_bucket(
    scope: Construct, construct_id: str, name: str, *, retain: bool, versioned: bool = False
) -> s3.Bucket:
    """Return a bucket without public access, for TLS 1.2 or newer, that cleans up after broken uploads.

    Parameters
    ----------
    name
        Completed by `bucket_name`.
    retain
        Whether it outlives the stack, once the operation that creates it has succeeded: a first deployment that fails
        leaves nothing in the way of the second.
    """
    bucket = s3.Bucket(
        scope,
        construct_id,
        bucket_name=bucket_name(name, retain=retain),
        versioned=versioned,
        encryption=s3.BucketEncryption.S3_MANAGED,
        enforce_ssl=True,
        minimum_tls_version=1.2,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        lifecycle_rules=[s3.LifecycleRule(abort_incomplete_multipart_upload_after=Duration.days(7))],
        removal_policy=RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE if retain else RemovalPolicy.DESTROY,
    )
    acknowledge(
        bucket,
        "S1",
        "Access is not recorded by the stack. Who must know who has read an object lets a CloudTrail trail of the account"
        " record the bucket's data events, which are complete and cost by the event; server access logs are delivered at"
        " best effort, hours later, into a bucket that would outlive the stack",
    )
    return bucket
