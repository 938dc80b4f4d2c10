"""The database's roles, created at deploy before anything connects."""

import hashlib

from aws_cdk import CustomResource, Duration
from aws_cdk import aws_rds as rds
from constructs import Construct

from cdk.environment import LogRetention
from cdk.functions import Placement, common_options, grant, zip_function
from cdk.layers import Layers
from migrate.roles import statements

TIMEOUT = Duration.minutes(5)
"""A new cluster answers within a minute or two; one that is paused resumes in about fifteen seconds."""


class DatabaseRoles(Construct):
    """A function outside the network that creates the roles through the RDS Data API (docs/decisions/0011).

    It is the only one that may read the master user's password, and it runs only when its statements change.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        cluster: rds.DatabaseCluster,
        database: str,
        layers: Layers,
        log_retention: LogRetention,
    ) -> None:
        super().__init__(scope, construct_id)
        assert cluster.secret  # noqa: S101 - the cluster manages the master user's password
        function = zip_function(
            self,
            "migrate",
            "migrate.roles_handler.handler",
            description="Creates the database roles at deploy",
            architecture=layers.architecture,
            layers=[layers.logstats],
            memory_size=256,
            timeout=TIMEOUT,
            **common_options(self, Placement(), log_retention),
        )
        grant(function, cluster.cluster_arn, "rds-data:ExecuteStatement")
        grant(function, cluster.secret.secret_arn, "secretsmanager:GetSecretValue")
        created = CustomResource(
            self,
            "Created",
            resource_type="Custom::DatabaseRoles",
            service_token=function.function_arn,
            service_timeout=Duration.minutes(6),
            properties={
                "Cluster": cluster.cluster_arn,
                "Secret": cluster.secret.secret_arn,
                "Database": database,
                # When they change, they run again.
                "Statements": hashlib.sha256("\0".join(statements(database)).encode()).hexdigest()[:16],
            },
        )
        # It needs the function's policy, and an instance that answers.
        created.node.add_dependency(function, cluster)
