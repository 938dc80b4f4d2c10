"""The layers that functions share, built at synth."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from cdk.bundling import ROOT, Platform, dependencies, host_platform, lambda_platform, logstats_package
from cdk.parameters import Architecture


class Layers(Construct):
    """The `logstats` package with its kernel, and third-party packages per function.

    Attributes
    ----------
    logstats
        The `logstats` package.
    api
        What the API function needs besides.
    migrate
        What the migration function needs besides.
    architecture
        Of the functions that use them.
    """

    def __init__(self, scope: Construct, construct_id: str, architecture: Architecture) -> None:
        super().__init__(scope, construct_id)
        platform = host_platform() if architecture == "host" else lambda_platform(architecture)
        self.architecture = function_architecture(architecture)
        self.logstats = self._layer("Logstats", str(logstats_package(platform)))
        self.api = self._third_party("Api", "layers/dependencies", platform)
        self.migrate = self._third_party("Migrate", "functions/migrate", platform)

    def _third_party(self, construct_id: str, folder: str, platform: Platform) -> lambda_.LayerVersion:
        requirements = ROOT / folder / "requirements.txt"
        return self._layer(construct_id, str(dependencies(requirements, platform)))

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
