"""The regions in which the stack can have Aurora: elsewhere the deployment is refused before anything is created."""

import re
import ssl

from aws_cdk import Aws, CfnRule, CfnRuleAssertion, Fn
from constructs import Construct

from logstats.settings import RDS_CA_FILE

_WITHOUT_DATA_API = {
    *("ap-east-2", "ap-south-2", "ap-southeast-4", "ap-southeast-6", "ca-west-1", "cn-north-1"),
    *("cn-northwest-1", "eu-central-2", "il-central-1", "mx-central-1", "us-gov-east-1", "us-gov-west-1"),
}
"""Aurora user guide, "Supported Regions and Aurora DB engines for RDS Data API"."""


def _regions_with_a_root() -> set[str]:
    """Return the regions for which RDS has a certificate in our file, by the names of the certificates."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(RDS_CA_FILE)
    return set(re.findall(r"Amazon RDS (\S+) Root CA", str(context.get_ca_certs())))


REGIONS = sorted(_regions_with_a_root() - _WITHOUT_DATA_API)
"""Functions trust the server's certificate there, and the Data API creates the database's roles (docs/decisions/0011)."""


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
