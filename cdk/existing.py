"""An existing PostgreSQL, by its URL: what functions may ask of it is what they may ask of `cdk.database.AuroraDatabase`."""

from collections.abc import Mapping
from typing import Literal

from aws_cdk import CfnParameter, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct
from pydantic.dataclasses import dataclass

from cdk import outputs
from cdk.environment import STRICT
from cdk.functions import Placement


@dataclass(frozen=True, config=STRICT)
class ExistingParameters:
    """A PostgreSQL that is there already, by the URL in the template parameter `DatabaseUrl`."""

    kind: Literal["existing"]
    tls: Literal["verify-full", "prefer", "disable"] = "verify-full"
    iam_auth: bool = True


class ExistingDatabase(Construct):
    """A PostgreSQL by the URL in a template parameter; one user does everything."""

    def __init__(self, scope: Construct, construct_id: str, parameters: ExistingParameters) -> None:
        super().__init__(scope, construct_id)
        self.placement = Placement()
        self._parameters = parameters
        self._url = CfnParameter(
            Stack.of(self), outputs.DATABASE_URL, no_echo=True, description="postgresql://user@host:port/name"
        )

    def environment(self, user: str) -> Mapping[str, str]:  # noqa: ARG002 - the URL names the user
        """Return the `DATABASE_*` variables of a function."""
        return {
            "DATABASE_URL": self._url.value_as_string,
            "DATABASE_TLS": self._parameters.tls,
            "DATABASE_IAM_AUTH": str(self._parameters.iam_auth).lower(),
        }

    @property
    def identity(self) -> str:
        """Tell this database from others."""
        return "existing"

    def grant_connect(self, grantee: iam.IGrantable, user: str) -> None:
        """Grant nothing: whoever owns the database does."""
