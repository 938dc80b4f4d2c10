"""The processor without its container: its own packages, its own code, its role's credentials."""

from dataclasses import dataclass
from pathlib import Path

from cdk import ROOT
from local.cloud.emulator import REGION, Emulator
from local.cloud.environments import PROCESSOR, interpreter
from local.cloud.execution import ExecutionEnvironment

HANDLER = "processor.handler.handler"
"""The command of the image (`functions/processor/Dockerfile`)."""


@dataclass(frozen=True, slots=True)
class Processor:
    """Starts execution environments of the processor.

    Attributes
    ----------
    task_root
        The folder with the processor's code, and nothing else, as in the image.
    scratch
        The functions' `/tmp`.
    """

    emulator: Emulator
    task_root: Path
    scratch: Path
    log: Path

    def start(self, function_arn: str) -> ExecutionEnvironment:
        """Start an environment with the variables and the role of the deployed function; a `ClientError` if either is unknown."""
        name = function_arn.rpartition(":")[2]
        function = self.emulator.client("lambda").get_function_configuration(FunctionName=name)
        role = {"RoleArn": function["Role"], "RoleSessionName": "processor"}
        credentials = self.emulator.client("sts").assume_role(**role)["Credentials"]
        variables = {
            "HOME": str(self.scratch),
            "TMPDIR": str(self.scratch),
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": self.emulator.endpoint,
            "AWS_EC2_METADATA_DISABLED": "true",
            **({"AWS_CA_BUNDLE": str(self.emulator.ca_bundle)} if self.emulator.ca_bundle else {}),
            **function.get("Environment", {}).get("Variables", {}),
            "AWS_ACCESS_KEY_ID": credentials["AccessKeyId"],
            "AWS_SECRET_ACCESS_KEY": credentials["SecretAccessKey"],
            "AWS_SESSION_TOKEN": credentials["SessionToken"],
            "AWS_LAMBDA_FUNCTION_NAME": function["FunctionName"],
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(function["MemorySize"]),
            "AWS_LAMBDA_LOG_GROUP_NAME": function["LoggingConfig"]["LogGroup"],
            "AWS_LAMBDA_LOG_FORMAT": function["LoggingConfig"]["LogFormat"],
            "LAMBDA_TASK_ROOT": str(self.task_root),
            "PYTHONPATH": str(self.task_root),
        }
        return ExecutionEnvironment([str(interpreter(PROCESSOR))], HANDLER, variables, self.log)


def link_task_root(folder: Path) -> Path:
    """Make a folder with what the image's task root has: the processor and the `logstats` package."""
    folder.mkdir(parents=True, exist_ok=True)
    for package in (ROOT / "functions" / "processor", ROOT / "layers" / "logstats"):
        link = folder / package.name
        link.unlink(missing_ok=True)
        link.symlink_to(package, target_is_directory=True)
    return folder
