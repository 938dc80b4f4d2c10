"""Build what the layers contain, without Docker: hash-locked wheels, and the `logstats` package.

The output is deterministic, so that an unchanged layer keeps its asset hash, and cached under `build/` by
everything that goes into it. ``python -m cdk.bundling`` downloads the wheels beforehand.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cdk import ROOT, elf
from cdk.build_cache import BUILD, cached
from cdk.platforms import Platform, bytecode_version, lambda_platform
from logstats.native.build import build as compile_kernel
from logstats.native.build import library_name

REQUIREMENTS = (
    ROOT / "layers" / "dependencies" / "requirements.txt",
    ROOT / "functions" / "migrate" / "requirements.txt",
)
"""Hash-locked third-party packages of the API and of the migration."""
LAYER_ROOT = "/opt/python"
"""Where Lambda puts a layer's `python/` folder."""

_PACKAGED = {".pem", ".py", ".toml"}
"""The files of the `logstats` package besides its kernel."""
_LEFT_OUT_FOLDERS = {".agents", "bin", "include", "__pycache__", "sboms", "test", "testing", "tests"}
_LEFT_OUT_SUFFIXES = {".asm", ".c", ".cmd", ".cpp", ".h", ".hpp", ".obj", ".pxd", ".pyi", ".pyx"}
_LEFT_OUT_FILES = {
    ".lock",
    "INSTALLER",
    "RECORD",
    "REQUESTED",
    "direct_url.json",
    "py.typed",
    "uv_cache.json",
}
_LEFT_OUT_PARTS = {
    *(f"sqlalchemy/dialects/{other}" for other in ("mssql", "mysql", "oracle", "sqlite")),
    "aws_lambda_powertools/event_handler",  # FastAPI handles our events
    *(f"aws_lambda_powertools/utilities/{part}" for part in ("data_classes", "parser")),
}
"""Of packages that are needed otherwise."""


class BundlingError(Exception):
    """A layer could not be built; the message is the tool's."""


def dependencies(requirements: Path, platform: Platform, cache: Path = BUILD) -> Path:
    """Return a folder with the packages of a hash-locked requirements file under `python/`; a `BundlingError` if uv cannot install them."""

    def install(folder: Path) -> None:
        target = folder / "python"
        try:
            _install(requirements, platform, target, "--offline")  # `fetch` has been here
        except BundlingError:
            shutil.rmtree(target, ignore_errors=True)
            _install(requirements, platform, target)
        _leave_out(target)
        for library in target.rglob("*.so*"):
            elf.strip(library)
        _compile(target, platform)

    inputs: list[str | bytes] = [platform.name, requirements.read_bytes(), *_recipe(platform)]
    return cached(cache, requirements.parent.name, inputs, install)


def logstats_package(platform: Platform, cache: Path = BUILD) -> Path:
    """Return a folder with the `logstats` package and its kernel under `python/`; a `BundlingError` if that does not compile."""
    source = ROOT / "layers" / "logstats"
    sources = sorted(path for path in source.rglob("*") if path.suffix in {*_PACKAGED, ".c", ".h"})
    inputs: list[str | bytes] = [platform.name, *_recipe(platform)]
    for path in sources:
        inputs += [path.relative_to(source).as_posix(), path.read_bytes()]

    def compile_and_copy(folder: Path) -> None:
        package = folder / "python" / "logstats"
        for path in sources:
            if path.suffix in _PACKAGED:
                copy = package / path.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
        try:
            compile_kernel(package / "native" / library_name(platform.system), platform.zig_target)
        except subprocess.CalledProcessError as error:
            raise BundlingError(f"the kernel does not compile for {platform.name}") from error
        _compile(folder / "python", platform)

    return cached(cache, "logstats", inputs, compile_and_copy)


def fetch() -> None:
    """Download what the layers need on AWS, so that they can be built offline; a `BundlingError` if that fails."""
    for platform in (lambda_platform("x86_64"), lambda_platform("arm64")):
        for requirements in REQUIREMENTS:
            with tempfile.TemporaryDirectory() as folder:
                _install(requirements, platform, Path(folder))


def _recipe(platform: Platform) -> list[str | bytes]:
    """Return what a layer depends on besides its sources: how it is made."""
    return [bytecode_version(platform), Path(__file__).read_bytes(), Path(elf.__file__).read_bytes()]


def _install(requirements: Path, platform: Platform, target: Path, *options: str) -> None:
    _run(
        *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--only-binary", ":all:"),
        *("--require-hashes", "--requirement", str(requirements), "--target", str(target)),
        *("--link-mode", "copy", *platform.install_options, *options),
    )


def _leave_out(target: Path) -> None:
    """Remove what no function needs: scripts, tests, caches, type stubs, C sources, installation records, and parts."""
    for part in _LEFT_OUT_PARTS:
        shutil.rmtree(target / part, ignore_errors=True)  # not every layer has them
    for folder, names, files in os.walk(target, topdown=True):
        for name in [name for name in names if name in _LEFT_OUT_FOLDERS]:
            shutil.rmtree(Path(folder, name))
            names.remove(name)
        for file in files:
            path = Path(folder, file)
            if path.suffix in _LEFT_OUT_SUFFIXES or file in _LEFT_OUT_FILES:
                path.unlink()


def _compile(target: Path, platform: Platform) -> None:
    """Add bytecode: a layer is read-only, so that every cold start would compile all it imports again.

    It is never checked against its source, whose time stamp a layer does not keep, and it is reproducible.
    """
    if not bytecode_version(platform):
        return
    _run(
        *(sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"),
        *("-s", str(target), "-p", LAYER_ROOT, str(target)),
        environment={**os.environ, "PYTHONHASHSEED": "0"},
    )


def _run(*command: str, environment: dict[str, str] | None = None) -> None:
    result = subprocess.run(  # noqa: S603 - our own command
        command, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise BundlingError(result.stderr.strip())


if __name__ == "__main__":
    fetch()
