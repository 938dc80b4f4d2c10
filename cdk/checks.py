"""The rules of cdk-nag's AwsSolutions pack, which every synthesis must pass.

A rule that a construct breaks for a reason is acknowledged where the construct is made, with the reason.
https://github.com/cdklabs/cdk-nag/blob/main/RULES.md
"""

from aws_cdk import Acknowledgment, App, Validations
from cdk_nag import AwsSolutionsChecks
from constructs import IConstruct

PACK = "AwsSolutions"


def install(app: App) -> None:
    """Let the synthesis of an app fail where a rule is broken and not acknowledged."""
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))


def acknowledge(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept that a construct, or what it is made of, breaks a rule.

    Parameters
    ----------
    rule
        Such as ``VPC7``, or with its finding ``IAM5[Resource::*]``.
    """
    Validations.of(construct).acknowledge(Acknowledgment(id=f"{PACK}::{PACK}-{rule}", reason=reason))
