"""The private network: isolated subnets in two zones, a way to S3 only, and who may talk to whom."""

from collections.abc import Sequence
from typing import Any

from aws_cdk import Aws, custom_resources
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from constructs import Construct

from cdk.checks import acknowledge
from cdk.environment import LogRetention
from cdk.logs import log_group

POSTGRES_PORT = 5432
_S3_ACTIONS = ("s3:DeleteObject", "s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket", "s3:PutObject")


class Network(Construct):
    """A VPC without internet gateway, NAT or public addresses; what it refuses is logged.

    Attributes
    ----------
    vpc
        Its route tables lead nowhere but to S3, through a gateway endpoint, which costs nothing.
    subnets
        Where functions and the database go.
    clients, database
        The security groups of functions that use the database, and of the database.
    """

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        log_retention: LogRetention,
        zones: Sequence[str] | None = None,
    ) -> None:
        super().__init__(scope, construct_id)
        where: dict[str, Any] = {"availability_zones": list(zones)} if zones else {"max_azs": 2}
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            **where,
            nat_gateways=0,
            # Nothing uses it. CDK would empty it by a function that may change every security group.
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
            ],
        )
        _restrict(self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3))
        self.vpc.add_flow_log(
            "Refused",
            destination=ec2.FlowLogDestination.to_cloud_watch_logs(
                log_group(self, "RefusedLogs", log_retention)
            ),
            traffic_type=ec2.FlowLogTrafficType.REJECT,
        )
        self.subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.clients = self.group(self, "Clients", "Functions that use the database")
        self.database = self.group(self, "Database", "The database")
        self._let_clients_reach_s3(_s3_prefix_list(self, log_retention))
        connect(self, self.clients, self.database, POSTGRES_PORT)

    def group(self, scope: Construct, construct_id: str, description: str) -> ec2.SecurityGroup:
        """Return a security group that may reach nobody, and that nobody may reach."""
        return ec2.SecurityGroup(
            scope, construct_id, vpc=self.vpc, description=description, allow_all_outbound=False
        )

    def _let_clients_reach_s3(self, prefix_list: str) -> None:
        """Let them connect to S3 only.

        The rule belongs to the group itself: to a group without rules EC2 adds one that allows everything, and CDK
        makes a prefix list's rule a resource of its own.
        """
        group = self.clients.node.default_child
        assert isinstance(group, ec2.CfnSecurityGroup)  # noqa: S101 - what an L2 group is made of
        group.security_group_egress = [
            ec2.CfnSecurityGroup.EgressProperty(
                description="S3",
                destination_prefix_list_id=prefix_list,
                ip_protocol="tcp",
                from_port=443,
                to_port=443,
            )
        ]


def _restrict(endpoint: ec2.GatewayVpcEndpoint) -> None:
    """Let nothing through but what functions and tasks do: with the account's buckets, and with two of AWS's.

    AWS's are named in the CloudFormation user guide, "Use AWS PrivateLink" (where a custom resource's response goes), and
    in the Amazon ECR user guide, "Amazon ECR interface VPC endpoints" (where a task's image comes from).
    """
    for actions, resource, conditions in (
        (_S3_ACTIONS, "*", {"StringEquals": {"aws:ResourceAccount": Aws.ACCOUNT_ID}}),
        (("s3:PutObject",), f"arn:{Aws.PARTITION}:s3:::cloudformation-custom-resource-response-*/*", None),
        (("s3:GetObject",), f"arn:{Aws.PARTITION}:s3:::prod-{Aws.REGION}-starport-layer-bucket/*", None),
    ):
        endpoint.add_to_policy(
            iam.PolicyStatement(
                principals=[iam.AnyPrincipal()],
                actions=list(actions),
                resources=[resource],
                conditions=conditions,
            )
        )


def connect(scope: Construct, source: ec2.SecurityGroup, target: ec2.SecurityGroup, port: int) -> None:
    """Let one security group connect to another.

    CDK's own `allow_to` would take away the rule that leads nowhere, and to a group without rules EC2 adds one that
    allows everything.
    """
    tcp: dict[str, Any] = {
        "description": f"{source.node.id} to {target.node.id}",
        "ip_protocol": "tcp",
        "from_port": port,
        "to_port": port,
    }
    here, there = source.security_group_id, target.security_group_id
    ec2.CfnSecurityGroupEgress(
        scope, f"To{target.node.id}", group_id=here, destination_security_group_id=there, **tcp
    )
    ec2.CfnSecurityGroupIngress(
        scope, f"From{source.node.id}", group_id=there, source_security_group_id=here, **tcp
    )


def _s3_prefix_list(scope: Construct, log_retention: LogRetention) -> str:
    """Return the id of the list of S3's addresses in the stack's region, which only a call at deploy can find.

    It is the only place outside the network that the functions may connect to.
    """
    group = log_group(scope, "PrefixListLogs", log_retention)
    role = iam.Role(scope, "PrefixListRole", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    group.grant_write(role)
    found = custom_resources.AwsCustomResource(
        scope,
        "S3PrefixList",
        on_update=custom_resources.AwsSdkCall(
            service="EC2",
            action="DescribeManagedPrefixLists",
            parameters={
                "Filters": [{"Name": "prefix-list-name", "Values": [f"com.amazonaws.{Aws.REGION}.s3"]}]
            },
            physical_resource_id=custom_resources.PhysicalResourceId.of("s3-prefix-list"),
            output_paths=["PrefixLists.0.PrefixListId"],
        ),
        policy=custom_resources.AwsCustomResourcePolicy.from_statements(
            [iam.PolicyStatement(actions=["ec2:DescribeManagedPrefixLists"], resources=["*"])]
        ),
        role=role,
        log_group=group,
        install_latest_aws_sdk=False,
    )
    acknowledge(found, "IAM5[Resource::*]", "Listing AWS's prefix lists has no resource to name")
    return found.get_response_field("PrefixLists.0.PrefixListId")
