"""The private network: isolated subnets in two zones, and a way to S3 only."""

from aws_cdk import aws_ec2 as ec2
from constructs import Construct


class Network(Construct):
    """A VPC without internet gateway, NAT or public addresses.

    Attributes
    ----------
    vpc
        Its route tables lead nowhere but to S3, through a gateway endpoint, which costs nothing.
    subnets
        Where functions and the database go.
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
