"""Deletion protection of the database, set when everything else of the stack is there."""

from collections.abc import Sequence

from aws_cdk import aws_iam as iam
from aws_cdk import custom_resources
from constructs import Construct, IDependable

from cdk.database import AuroraDatabase


class Protection(Construct):
    """Switches the protection on or off as the last step of a deployment.

    As a property of the cluster it would be there from the first minute, and the rollback of a first deployment that fails
    later could not delete the cluster. CloudFormation sends the property with every change of the cluster, and sends nothing
    where the template does not have it, so what is set here stays. A cluster that replaces this one has another id,
    which is a change of this resource: it is protected too.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        database: AuroraDatabase,
        *,
        enabled: bool,
        after: Sequence[IDependable],
    ) -> None:
        super().__init__(scope, construct_id)
        cluster = database.cluster
        protected = custom_resources.AwsCustomResource(
            self,
            "Set",
            resource_type="Custom::DeletionProtection",
            on_update=custom_resources.AwsSdkCall(
                service="RDS",
                action="modifyDBCluster",
                parameters={
                    "DBClusterIdentifier": cluster.cluster_identifier,
                    "DeletionProtection": enabled,
                    "ApplyImmediately": True,
                },
                physical_resource_id=custom_resources.PhysicalResourceId.of(
                    cluster.cluster_resource_identifier
                ),
                output_paths=["DBCluster.DeletionProtection"],
            ),
            policy=custom_resources.AwsCustomResourcePolicy.from_statements(
                [iam.PolicyStatement(actions=["rds:ModifyDBCluster"], resources=[cluster.cluster_arn])]
            ),
            install_latest_aws_sdk=False,
        )
        # The call itself waits, not the right to make it.
        protected.node.find_child("Resource").node.add_dependency(*after)
