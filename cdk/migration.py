"""The schema's migration, run at deploy before any function that needs the schema."""

import hashlib

from aws_cdk import CfnOutput, CustomResource, Duration, Stack
from constructs import Construct

from cdk import ROOT, outputs
from cdk.database import Database, database_function
from cdk.environment import LogRetention
from cdk.layers import Layers
from migrate.roles import MIGRATOR

USER = MIGRATOR
TIMEOUT = Duration.minutes(5)


class Migration(Construct):
    """A function and a custom resource that runs it whenever the migrations change, or the database is another.

    The function answers CloudFormation by itself, through the S3 endpoint of its network; a failure, with its
    reason, fails the deployment and rolls it back.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        database: Database,
        layers: Layers,
        log_retention: LogRetention,
    ) -> None:
        super().__init__(scope, construct_id)
        self.function = function = database_function(
            self,
            "migrate",
            "migrate.handler.handler",
            database=database,
            user=USER,
            log_retention=log_retention,
            description="Migrates the database schema at deploy",
            architecture=layers.architecture,
            layers=[layers.logstats, layers.migrate],
            memory_size=512,
            timeout=TIMEOUT,
        )
        # What needs the schema depends on it.
        self.applied = CustomResource(
            self,
            "Applied",
            resource_type="Custom::SchemaMigration",
            service_token=function.function_arn,
            service_timeout=Duration.minutes(6),
            # On another database too: one that was restored may have an older schema, and would repeat its revisions.
            properties={"Migrations": migrations_digest(), "Database": database.identity},
        )
        # It needs the function's policy and a database that answers; at deletion both are still there.
        self.applied.node.add_dependency(function, database)
        CfnOutput(Stack.of(self), outputs.SCHEMA_REVISION, value=self.applied.get_att_string("Revision"))


def migrations_digest() -> str:
    """Return a digest of the migrations: when it changes, they run."""
    digest = hashlib.sha256()
    for path in sorted((ROOT / "functions" / "migrate").rglob("*.py")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]
