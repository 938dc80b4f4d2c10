"""The database: Aurora PostgreSQL, or in its place an existing PostgreSQL (`cdk.existing`), of which functions may ask the same.

One module, though long: most of it are the parameters, each beside the property of the cluster that it sets.
"""

from collections.abc import Mapping
from hashlib import sha256
from typing import Annotated, Any, Literal

from aws_cdk import ArnFormat, Duration, RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from constructs import Construct
from pydantic import Field
from pydantic.dataclasses import dataclass

from cdk import server
from cdk.checks import acknowledge
from cdk.environment import STRICT, Environment, LogRetention
from cdk.existing import ExistingDatabase, ExistingParameters
from cdk.functions import Placement, common_options, grant, zip_function
from cdk.layers import Layers
from cdk.network import POSTGRES_PORT, Network
from cdk.regions import require_region
from cdk.roles import DatabaseRoles

NAME = "logstats"
"""The database's name in the cluster."""

_DAY = "(mon|tue|wed|thu|fri|sat|sun)"
_TIME = "([01][0-9]|2[0-3]):[0-5][0-9]"


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
        Of Aurora PostgreSQL. AWS applies minor upgrades by itself; another major version here is upgraded to by the next
        deployment (docs/runbook.md, "Upgrade").
    maintenance_window, backup_window
        When AWS may apply changes, and takes the daily backup, in UTC; they must not overlap.
    snapshot_identifier
        A snapshot from which the database is restored, as a new cluster (docs/runbook.md, "Restore from a snapshot"). It stays
        here as long as that cluster lives: without it, the next deployment makes an empty one.
    zones
        The names of two availability zones, for accounts in which Lambda or Aurora Serverless is missing from the first two.
    """

    kind: Literal["aurora"] = "aurora"
    minimum_acu: Annotated[float, Field(ge=0, le=256, multiple_of=0.5)] = 0
    maximum_acu: Annotated[float, Field(ge=1, le=256, multiple_of=0.5)] = 8
    pause_after_seconds: Annotated[int, Field(ge=300, le=86_400)] = 300
    backup_days: Annotated[int, Field(ge=1, le=35)] = 14
    deletion_protection: bool = True
    engine_version: Annotated[str, Field(pattern=r"^(1[6-9]|[2-9]\d)\.\d+$")] = "18.4"
    maintenance_window: Annotated[str, Field(pattern=f"^{_DAY}:{_TIME}-{_DAY}:{_TIME}$")] = (
        "sun:03:00-sun:04:00"
    )
    backup_window: Annotated[str, Field(pattern=f"^{_TIME}-{_TIME}$")] = "01:00-02:00"
    snapshot_identifier: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9:-]*$", max_length=255)] | None = (
        None
    )
    zones: Annotated[tuple[str, ...], Field(min_length=2, max_length=2)] | None = None

    @property
    def cluster_suffix(self) -> str:
        """Of the cluster's name: a restored one needs another, while the one before still has its own."""
        return (
            f"-{sha256(self.snapshot_identifier.encode()).hexdigest()[:6]}"
            if self.snapshot_identifier
            else ""
        )


DatabaseParameters = Annotated[AuroraParameters | ExistingParameters, Field(discriminator="kind")]


class AuroraDatabase(Construct):
    """Aurora PostgreSQL Serverless v2: encrypted, TLS only, IAM authentication, no public address.

    One instance: storage is in three zones anyway, and RDS starts another where the first was lost, within some ten
    minutes, in which uploads wait and the API answers 503. A second instance would double the price of capacity. No
    Performance Insights: it wants at least 2 ACU, and this pauses at none.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        aurora: AuroraParameters,
        layers: Layers,
        environment: Environment,
    ) -> None:
        super().__init__(scope, construct_id)
        self.network = network = Network(self, "Network", environment.log_retention, aurora.zones)
        require_region(self)
        identifier = f"logstats-{environment.environment}{aurora.cluster_suffix}"
        self.cluster = rds.DatabaseCluster(
            self,
            "Cluster",
            cluster_identifier=identifier,
            engine=server.engine(aurora.engine_version),
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
            parameters=server.PARAMETERS,
            writer=rds.ClusterInstance.serverless_v2(
                "Writer", auto_minor_version_upgrade=True, ca_certificate=rds.CaCertificate.RDS_CA_RSA2048_G1
            ),
            serverless_v2_min_capacity=aurora.minimum_acu,
            serverless_v2_max_capacity=aurora.maximum_acu,
            serverless_v2_auto_pause_duration=None
            if aurora.minimum_acu
            else Duration.seconds(aurora.pause_after_seconds),
            backup=rds.BackupProps(
                retention=Duration.days(aurora.backup_days), preferred_window=aurora.backup_window
            ),
            delete_automated_backups=not environment.retain_data,
            preferred_maintenance_window=aurora.maintenance_window,
            copy_tags_to_snapshot=True,
            cloudwatch_logs_exports=list(server.LOGS),
            removal_policy=RemovalPolicy.SNAPSHOT if environment.retain_data else RemovalPolicy.DESTROY,
        )
        if aurora.snapshot_identifier:
            server.restore(self.cluster, aurora.snapshot_identifier)
        server.add_log_groups(self, self.cluster, identifier, environment.log_retention)
        acknowledge(
            self.cluster,
            "RDS10",
            "`cdk.protection` protects it at the end of a deployment, if the parameters say so",
        )
        DatabaseRoles(self, "Roles", self.cluster, NAME, layers, environment.log_retention)
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

    @property
    def identity(self) -> str:
        """Tell this database from others, such as the one that it replaces."""
        return self.cluster.cluster_resource_identifier

    def grant_connect(self, grantee: iam.IGrantable, user: str) -> None:
        """Let a function, or a task's role, connect as `user`, and no other."""
        arn = Stack.of(self).format_arn(
            service="rds-db",
            resource="dbuser",
            resource_name=f"{self.cluster.cluster_resource_identifier}/{user}",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )
        grant(grantee, arn, "rds-db:connect")


Database = AuroraDatabase | ExistingDatabase


def create_database(
    scope: Construct,
    construct_id: str,
    parameters: AuroraParameters | ExistingParameters,
    layers: Layers,
    environment: Environment,
) -> Database:
    """Create the form of database that the parameters ask for."""
    if isinstance(parameters, ExistingParameters):
        return ExistingDatabase(scope, construct_id, parameters)
    return AuroraDatabase(scope, construct_id, parameters, layers, environment)


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
