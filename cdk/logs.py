"""Log groups of our own: what AWS makes by itself is kept for ever."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk.environment import LogRetention


def log_group(
    scope: Construct, construct_id: str, retention: LogRetention, name: str | None = None
) -> logs.LogGroup:
    """Return a log group that keeps its logs for a stated time, and goes with the stack."""
    return logs.LogGroup(
        scope,
        construct_id,
        log_group_name=name,
        retention=logs.RetentionDays[retention.upper()],
        removal_policy=RemovalPolicy.DESTROY,
    )
