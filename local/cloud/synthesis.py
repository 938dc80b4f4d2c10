"""An environment's template and assets: synthesised when something that goes into them has changed."""

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from cdk import ROOT
from cdk.build_cache import BUILD, cached
from cdk.platforms import host_platform
from local.cloud.environments import run

_INPUTS = ("cdk", "formats", "functions", "layers")
_FILES = ("cdk.json", ".dockerignore")
_SUFFIXES_LEFT_OUT = {".pyc", ".so", ".dylib", ".in"}


def in_another_process(given: Mapping[str, str], folder: Path) -> None:
    """Synthesise in another process, as the command line does; a `UserError` if that fails."""
    command = [sys.executable, "-m", "cdk.app", "-o", str(folder)]
    for key, value in given.items():
        command += ["-c", f"{key}={value}"]
    run(command, "Synthesis fails")


def cloud_assembly(
    environment: str = "local",
    context: Mapping[str, str] | None = None,
    synthesise: Callable[[Mapping[str, str], Path], None] = in_another_process,
) -> Path:
    """Return the folder with an environment's synthesised stack (a *cloud assembly* in CDK's words).

    Parameters
    ----------
    context
        Overrides of the environment's parameters: what the CDK command line takes with ``-c``.
    synthesise
        Called with the whole context, and the folder, if there is no such assembly yet.

    Raises
    ------
    UserError
        If synthesis fails.
    """
    overrides = dict(context or {})
    inputs: list[str | bytes] = [host_platform().name, json.dumps(overrides, sort_keys=True)]
    for path in _input_files():
        inputs += [path.relative_to(ROOT).as_posix(), path.read_bytes()]
    given = {"environment": environment, **overrides}
    return cached(BUILD, f"assembly-{environment}", inputs, partial(synthesise, given))


def _input_files() -> list[Path]:
    trees = (path for folder in _INPUTS for path in (ROOT / folder).rglob("*"))
    files = [path for path in trees if path.is_file() and path.suffix not in _SUFFIXES_LEFT_OUT]
    return sorted(files) + [ROOT / name for name in _FILES]
