"""Python environments that hold nothing but hash-locked requirements, cached under `build/`."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cdk import ROOT
from cdk.build_cache import BUILD, cached
from local.errors import UserError

EMULATOR = ROOT / "local" / "emulator" / "requirements.txt"
PROCESSOR = ROOT / "functions" / "processor" / "requirements.txt"


def interpreter(requirements: Path) -> Path:
    """Return the interpreter of an environment with these requirements, made now unless it is there.

    It is of this interpreter's version. The project itself is not in it.

    Raises
    ------
    UserError
        If the packages cannot be installed.
    """

    def make(folder: Path) -> None:
        uv, failure = [sys.executable, "-m", "uv"], "an environment cannot be made"
        run([*uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(folder)], failure)
        install = [*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(_python(folder))]
        run([*install, "--require-hashes", "--requirement", str(requirements)], failure)

    name = f"environment-{requirements.parent.name}"
    inputs: list[str | bytes] = [sys.version, sys.base_prefix, requirements.read_bytes()]
    return _python(cached(BUILD, name, inputs, make))


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def run(command: Sequence[str], failure: str) -> None:
    """Run a command in the checkout; a `UserError` has what it says of its failure."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if result.returncode:
        raise UserError(f"{failure}: {result.stderr.strip()}")
