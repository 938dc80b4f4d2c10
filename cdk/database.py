"""The database in two forms, which offer the same: Aurora PostgreSQL, and an existing PostgreSQL by its URL.

Both stand in one module, so that what functions may ask of either is read side by side.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from aws_cdk import ArnFormat, CfnParameter, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from constructs import Construct
from pydantic import Field
from pydantic.dataclasses import dataclass

from cdk import outputs
from cdk.checks import acknowledge
from cdk.environment import STRICT, Environment, LogRetention
from cdk.functions import Placement, common_options, zip_function
from cdk.logs import log_group
from cdk.network import POSTGRES_PORT, Network
from cdk.roles import DatabaseRoles

NAME = "logstats"
"""The database's name in the cluster."""
_SERVER_PARAMETERS = {
    "rds.force_ssl": "1",
    # What an operator wants to find in the log: statements of a second or more, and who waits for a lock.
    "log_min_duration_statement": "1000",
    "log_lock_waits": "1",
}


@dataclass(frozen=True, config=STRICT)
class AuroraParameters:
    """Aurora PostgreSQL Serverless v2 in isolated subnets, reached with IAM authentication.

    Attributes
    ----------
    minimum_acu, maximum_acu
        Aurora capacity units (about 2 GiB of memory each); 0 lets it pause.
    pause_after_seconds
        Idle time before it pauses; only when `minimum_acu` is 0.
    backup_days
        Retention of automatic backups.
    deletion_protection
        Whether it is protected when a deployment is complete (`cdk.protection`).
    engine_version
        Of Aurora PostgreSQL.
    """

    kind: Literal["aurora"] = "aurora"
    minimum_acu: Annotated[float, Field(ge=0, le=256, multiple_of=0.5)] = 0
    maximum_acu: Annotated[float, Field(ge=1, le=256, multiple_of=0.5)] = 8
    pause_after_seconds: Annotated[int, Field(ge=300, le=86_400)] = 300
    backup_days: Annotated[int, Field(ge=1, le=35)] = 14
    deletion_protection: bool = True
    engine_version: Annotated[str, Field(pattern=r"^(1[6-9]|[2-9]\d)\.\d+$")] = "18.4"


@dataclass(frozen=True, config=STRICT)
class ExistingParameters:
    """A PostgreSQL that is there already, by the URL in the template parameter `DatabaseUrl`."""

    kind: Literal["existing"]
    tls: Literal["verify-full", "prefer", "disable"] = "verify-full"
    iam_auth: bool = True


DatabaseParameters = Annotated[AuroraParameters | ExistingParameters, Field(discriminator="kind")]


class ExistingDatabase(Construct):
    """A PostgreSQL by the URL in a template parameter; one user does everything."""

    def __init__(self, scope: Construct, construct_id: str, parameters: ExistingParameters) -> None:
        super().__init__(scope, construct_id)
        self.placement = Placement()
        self._parameters = parameters
        self._url = CfnParameter(
            Stack.of(self), outputs.DATABASE_URL, no_echo=True, description="postgresql://user@host:port/name"
        )

    def environment(self, user: str) -> Mapping[str, str]:  # noqa: ARG002 - the URL names the user
        """Return the `DATABASE_*` variables of a function."""
        return {
            "DATABASE_URL": self._url.value_as_string,
            "DATABASE_TLS": self._parameters.tls,
            "DATABASE_IAM_AUTH": str(self._parameters.iam_auth).lower(),
        }

    def grant_connect(self, grantee: iam.IGrantable, user: str) -> None:
        """Grant nothing: whoever owns the database does."""


class AuroraDatabase(Construct):
    """Aurora PostgreSQL Serverless v2: encrypted, TLS only, IAM authentication, no public address.

    One instance: storage is in three zones anyway, and RDS starts another where the first was lost, within some ten
    minutes, in which uploads wait and the API answers 503. A second instance would double the price of capacity. No
    Performance Insights: it wants at least 2 ACU, and this pauses at none.
    """

    def __init__(
        self, scope: Construct, construct_id: str, aurora: AuroraParameters, environment: Environment
    ) -> None:
        super().__init__(scope, construct_id)
        self.network = network = Network(self, "Network", environment.log_retention)
        identifier = f"logstats-{environment.environment}"
        # If RDS made the group itself, its logs would be kept for ever.
        group = log_group(
            self, "Logs", environment.log_retention, f"/aws/rds/cluster/{identifier}/postgresql"
        )
        engine = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_18_4)
        self.cluster = rds.DatabaseCluster(
            self,
            "Cluster",
            cluster_identifier=identifier,
            engine=engine,
            vpc=network.vpc,
            vpc_subnets=network.subnets,
            security_groups=[network.database],
            port=POSTGRES_PORT,
            default_database_name=NAME,
            manage_master_user_password=True,
            credentials=rds.Credentials.from_username("postgres"),
            iam_authentication=True,
            enable_data_api=True,
            storage_encrypted=True,
            parameters=_SERVER_PARAMETERS,
            writer=rds.ClusterInstance.serverless_v2(
                "Writer", auto_minor_version_upgrade=True, ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1
            ),
            serverless_v2_min_capacity=aurora.minimum_acu,
            serverless_v2_max_capacity=aurora.maximum_acu,
            serverless_v2_auto_pause_duration=None
            if aurora.minimum_acu
            else Duration.seconds(aurora.pause_after_seconds),
            backup=rds.BackupProps(retention=Duration.days(aurora.backup_days)),
            copy_tags_to_snapshot=True,
            cloudwatch_logs_exports=["postgresql"],
            removal_policy=RemovalPolicy.SNAPSHOT if environment.retain_data else RemovalPolicy.DESTROY,
        )
        self.cluster.node.add_dependency(group)
        acknowledge(
            self.cluster,
            "RDS10",
            "`cdk.protection` protects it at the end of a deployment, if the parameters say so",
        )
        DatabaseRoles(self, "Roles", self.cluster, NAME, environment.log_retention)
        self.placement = Placement(network.vpc, network.subnets, [network.clients])

    def environment(self, user: str) -> Mapping[str, str]:
        """Return the `DATABASE_*` variables of a function that connects as `user`."""
        host = self.cluster.cluster_endpoint.hostname
        return {
            "DATABASE_URL": f"postgresql://{user}@{host}:{POSTGRES_PORT}/{NAME}",
            "DATABASE_TLS": "verify-full",
            "DATABASE_CA_FILE": "rds",
            "DATABASE_IAM_AUTH": "true",
        }

    def grant_connect(self, grantee: iam.IGrantable, user: str) -> None:
        """Let a function, or a task's role, connect as `user`, and no other."""
        arn = Stack.of(self).format_arn(
            service="rds-db",
            resource="dbuser",
            resource_name=f"{self.cluster.cluster_resource_identifier}/{user}",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        iam.Grant.add_to_principal(grantee=grantee, actions=["rds-db:connect"], resource_arns=[arn])


Database = AuroraDatabase | ExistingDatabase


def create_database(
    scope: Construct,
    construct_id: str,
    parameters: AuroraParameters | ExistingParameters,
    environment: Environment,
) -> Database:
    """Create the form of database that the parameters ask for."""
    if isinstance(parameters, ExistingParameters):
        return ExistingDatabase(scope, construct_id, parameters)
    return AuroraDatabase(scope, construct_id, parameters, environment)


def database_function(
    scope: Construct,
    package: str,
    handler: str,
    *,
    database: Database,
    user: str,
    log_retention: LogRetention,
    environment: Mapping[str, str] | None = None,
    **options: Any,  # noqa: ANN401 - CDK's
) -> lambda_.Function:
    """Return a function whose code is one package of `functions/`, and which connects to the database as `user`."""
    function = zip_function(
        scope,
        package,
        handler,
        environment={**database.environment(user), **(environment or {})},
        **common_options(scope, database.placement, log_retention),
        **options,
    )
    database.grant_connect(function, user)
    return function
