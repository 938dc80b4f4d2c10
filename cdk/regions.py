"""The regions in which the stack can have Aurora: elsewhere the deployment is refused before anything is created."""

import re

from aws_cdk import Aws, CfnRule, CfnRuleAssertion, Fn
from constructs import Construct

from logstats.settings import RDS_CA_FILE

_WITHOUT_DATA_API = {"ap-south-2", "ap-southeast-4", "eu-central-2"}
"""Of those with a root certificate (Aurora user guide, "Supported Regions and Aurora DB engines for RDS Data API")."""
_ROOTS = set(re.findall(r"^# Amazon RDS (\S+) Root CA", RDS_CA_FILE.read_text("utf-8"), re.MULTILINE))
REGIONS = sorted(_ROOTS - _WITHOUT_DATA_API)
"""Functions trust the root certificate of RDS there (docs/decisions/0011), and the Data API creates the database's roles."""


def require_region(scope: Construct) -> None:
    """Add a rule to the template, which CloudFormation asserts first."""
    CfnRule(
        scope,
        "Region",
        assertions=[
            CfnRuleAssertion(
                assert_=Fn.condition_contains(REGIONS, Aws.REGION),
                assert_description=f"Aurora with the RDS Data API, and RDS's root certificates, are known in {', '.join(REGIONS)}"
                " only; docs/decisions/0011 says how to add a root certificate",
            )
        ],
    )
