"""The layers that functions share, built at synth."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.bundling import REQUIREMENTS, dependencies, logstats_package
from cdk.environment import Architecture
from cdk.platforms import host_platform, lambda_platform


class Layers(Construct):
    """The `logstats` package with its kernel, and third-party packages for the API and for the migration."""

    def __init__(self, scope: Construct, construct_id: str, architecture: Architecture) -> None:
        super().__init__(scope, construct_id)
        platform = host_platform() if architecture == "host" else lambda_platform(architecture)
        self.architecture = function_architecture(architecture)
        self.logstats = self._layer("Logstats", str(logstats_package(platform)))
        api, migrate = (str(dependencies(requirements, platform)) for requirements in REQUIREMENTS)
        self.api = self._layer("Api", api)
        self.migrate = self._layer("Migrate", migrate)

    def _layer(self, construct_id: str, path: str) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            construct_id,
            code=lambda_.Code.from_asset(path),
            compatible_architectures=[self.architecture],
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_12],
            removal_policy=RemovalPolicy.DESTROY,
        )


def function_architecture(architecture: Architecture) -> lambda_.Architecture:
    """Return Lambda's name of an architecture; the emulator ignores it."""
    return lambda_.Architecture.ARM_64 if architecture == "arm64" else lambda_.Architecture.X86_64
