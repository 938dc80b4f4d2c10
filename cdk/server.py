"""Aurora's server: its version, its parameters, what it logs, and what it begins with."""

from aws_cdk import aws_rds as rds
from constructs import Construct

from cdk.environment import LogRetention
from cdk.logs import log_group

PARAMETERS = {
    "rds.force_ssl": "1",
    # What an operator wants to find in the log: statements of a second or more, who waits for a lock, who has changed the schema.
    "log_min_duration_statement": "1000",
    "log_lock_waits": "1",
    "log_statement": "ddl",
    # And what must not be there: customers' ids and rejected lines, which are parameters or in the details of errors.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
    "log_error_verbosity": "terse",
}
LOGS = ("postgresql", "iam-db-auth-error")
"""Go to CloudWatch: the server's own log, and why sign-ins by IAM have failed."""


def engine(version: str) -> rds.IClusterEngine:
    """Return the engine of a version such as ``18.4``."""
    major = version.partition(".")[0]
    return rds.DatabaseClusterEngine.aurora_postgres(
        version=rds.AuroraPostgresEngineVersion.of(version, major)
    )


def add_log_groups(
    scope: Construct, cluster: rds.DatabaseCluster, identifier: str, retention: LogRetention
) -> None:
    """Make the groups of a cluster's logs before it does: those that RDS makes itself are kept for ever."""
    for log in LOGS:
        word = log.title().replace("-", "")
        group = log_group(scope, f"{word}Logs", retention, f"/aws/rds/cluster/{identifier}/{log}")
        cluster.node.add_dependency(group)


def restore(cluster: rds.DatabaseCluster, snapshot: str) -> None:
    """Let a cluster begin with what is in a snapshot, which also says who its master user is.

    CloudFormation itself gives the restored cluster a new password for it, and the Data API. CDK's own class for this
    would have other logical ids.
    """
    resource = cluster.node.default_child
    assert isinstance(resource, rds.CfnDBCluster)  # noqa: S101 - what an L2 cluster is made of
    resource.snapshot_identifier = snapshot
    resource.master_username = resource.database_name = None
