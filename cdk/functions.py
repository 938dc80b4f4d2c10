"""Common parts of all functions: their source, log group, role and place in the network."""

from dataclasses import dataclass, field
from typing import Any

from aws_cdk import IgnoreMode
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from cdk import ROOT
from cdk.checks import acknowledge
from cdk.environment import LogRetention
from cdk.logs import log_group

_NETWORK_INTERFACES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
)


@dataclass(frozen=True)
class Placement:
    """Where a function runs; nowhere in particular by default."""

    vpc: ec2.IVpc | None = None
    subnets: ec2.SubnetSelection | None = None
    security_groups: list[ec2.ISecurityGroup] = field(default_factory=list)


def zip_function(
    scope: Construct,
    package: str,
    handler: str,
    **options: Any,  # noqa: ANN401 - CDK's
) -> lambda_.Function:
    """Return a function whose code is one package of `functions/`."""
    function = lambda_.Function(
        scope,
        "Function",
        code=lambda_.Code.from_asset(
            str(ROOT / "functions"),
            ignore_mode=IgnoreMode.GIT,
            exclude=["*", f"!{package}", f"!{package}/**", "**/__pycache__", "**/requirements.*"],
        ),
        handler=handler,
        runtime=lambda_.Runtime.PYTHON_3_12,
        **options,
    )
    acknowledge(
        function,
        "L1",
        "All functions run on Python 3.12: it is the newest that Bytewax has wheels for, and the layers' native"
        " code and bytecode are built and tested for it",
    )
    return function


def grant(grantee: iam.IGrantable, resource: str, *actions: str) -> None:
    """Let a function or a role do something with one resource."""
    iam.Grant.add_to_principal(grantee=grantee, actions=list(actions), resource_arns=[resource])


def common_options(scope: Construct, place: Placement, log_retention: LogRetention) -> dict[str, Any]:
    """Return the options that every function of a construct gets: role, log group and placement."""
    group = log_group(scope, "Logs", log_retention)
    options: dict[str, Any] = {
        "role": _role(scope, group, place),
        "log_group": group,
        "logging_format": lambda_.LoggingFormat.JSON,
    }
    if place.vpc:
        options |= {"vpc": place.vpc, "vpc_subnets": place.subnets, "security_groups": place.security_groups}
    return options


def _role(scope: Construct, group: logs.LogGroup, place: Placement) -> iam.Role:
    """Return a role that may write its own log group, and in a VPC manage its network interfaces."""
    role = iam.Role(scope, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
    group.grant_write(role)
    if place.vpc:
        # The Lambda service asks for these on "*" before it creates a function in a VPC.
        role.add_to_policy(iam.PolicyStatement(actions=list(_NETWORK_INTERFACES), resources=["*"]))
        # The service does, and the function's own code must not (developer guide, "Giving Lambda functions access to
        # resources in an Amazon VPC"): only calls from code have this key.
        role.add_to_policy(
            iam.PolicyStatement(
                effect=iam.Effect.DENY,
                actions=list(_NETWORK_INTERFACES),
                resources=["*"],
                conditions={"Null": {"lambda:SourceFunctionArn": "false"}},
            )
        )
        acknowledge(
            role,
            "IAM5[Resource::*]",
            "Lambda checks for these rights on every resource before it puts a function into a network, and some"
            " have no resource to name",
        )
    return role
