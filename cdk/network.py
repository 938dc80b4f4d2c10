"""The private network: isolated subnets in two zones, a way to S3 only, and who may talk to whom."""

from aws_cdk import aws_ec2 as ec2
from constructs import Construct

POSTGRES_PORT = 5432


class Network(Construct):
    """A VPC without internet gateway, NAT or public addresses.

    Attributes
    ----------
    vpc
        Its route tables lead nowhere but to S3, through a gateway endpoint, which costs nothing.
    subnets
        Where functions and the database go.
    clients
        The security group of functions that use the database.
    database
        The security group of the database.
    """

    def __init__(self, scope: Construct, construct_id: str) -> None:
        super().__init__(scope, construct_id)
        self.vpc = ec2.Vpc(
            self,
            "Vpc",
            max_azs=2,
            nat_gateways=0,
            restrict_default_security_group=False,
            subnet_configuration=[
                ec2.SubnetConfiguration(name="isolated", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
            ],
        )
        self.vpc.add_gateway_endpoint("S3", service=ec2.GatewayVpcEndpointAwsService.S3)
        self.subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        self.clients = self._group("Clients", "Functions that use the database")
        self.database = self._group("Database", "The database")
        self.clients.add_egress_rule(
            ec2.Peer.any_ipv4(), ec2.Port.tcp(443), "S3: the route tables lead nowhere else"
        )
        self._let_clients_reach_the_database()

    def _group(self, construct_id: str, description: str) -> ec2.SecurityGroup:
        return ec2.SecurityGroup(
            self, construct_id, vpc=self.vpc, description=description, allow_all_outbound=False
        )

    def _let_clients_reach_the_database(self) -> None:
        ec2.CfnSecurityGroupEgress(
            self,
            "ToDatabase",
            group_id=self.clients.security_group_id,
            destination_security_group_id=self.database.security_group_id,
            ip_protocol="tcp",
            from_port=POSTGRES_PORT,
            to_port=POSTGRES_PORT,
        )
        ec2.CfnSecurityGroupIngress(
            self,
            "FromClients",
            group_id=self.database.security_group_id,
            source_security_group_id=self.clients.security_group_id,
            ip_protocol="tcp",
            from_port=POSTGRES_PORT,
            to_port=POSTGRES_PORT,
        )
