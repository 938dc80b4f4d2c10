"""Python environments that hold nothing but hash-locked requirements, cached under `build/`."""

import subprocess
import sys
from pathlib import Path

from cdk import ROOT
from cdk.build_cache import BUILD, cached
from local.errors import UserError

EMULATOR = ROOT / "local" / "emulator" / "requirements.txt"
PROCESSOR = ROOT / "functions" / "processor" / "requirements.txt"


def interpreter(requirements: Path, cache: Path = BUILD) -> Path:
    """Return the interpreter of an environment with these requirements, made now unless it is there.

    It is of this interpreter's version. The project itself is not in it.

    Raises
    ------
    UserError
        If the packages cannot be installed.
    """

    def make(folder: Path) -> None:
        uv = (sys.executable, "-m", "uv")
        _run(*uv, "venv", "--quiet", "--relocatable", "--python", sys.executable, str(folder))
        _run(
            *(*uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(_python(folder))),
            *("--require-hashes", "--requirement", str(requirements)),
        )

    name = f"environment-{requirements.parent.name}"
    inputs: list[str | bytes] = [sys.version, sys.base_prefix, requirements.read_bytes()]
    return _python(cached(cache, name, inputs, make))


def _python(folder: Path) -> Path:
    return folder / "bin" / "python"


def _run(*command: str) -> None:
    result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own command
    if result.returncode:
        raise UserError(f"an environment cannot be made: {result.stderr.strip()}")
