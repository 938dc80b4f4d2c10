"""`docker compose` with the project's file: version 2 as Docker's plugin, or the older command of its own."""

import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass

from tests.docker.containers import DOCKER, ROOT, DockerError, output

FILE = ROOT / "localstack-compose.yml"


def compose_command() -> list[str]:
    """Return the command.

    Raises
    ------
    DockerError
        If there is none.
    """
    plugin = [DOCKER, "compose"]
    if shutil.which(DOCKER):
        done = subprocess.run([*plugin, "version"], capture_output=True, check=False)
        if done.returncode == 0:
            return plugin
    if shutil.which("docker-compose"):
        return ["docker-compose"]
    raise DockerError("neither `docker compose` nor docker-compose is installed")


@dataclass(frozen=True, slots=True)
class Compose:
    """One project of the compose file, with its variables."""

    project: str
    variables: Mapping[str, str]

    def __call__(self, *arguments: str, timeout: float = 300.0) -> str:
        """Run a command on it and return what it prints."""
        command = [*compose_command(), "--project-name", self.project, "--file", str(FILE), *arguments]
        return output(command, timeout, **self.variables)
