"""Build what the layers contain, without Docker: hash-locked wheels, and the `logstats` package.

The output is deterministic, so that an unchanged layer keeps its asset hash, and cached under `build/` by
everything that goes into it.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from cdk.elf import strip
from logstats.native.build import build as compile_kernel
from logstats.native.build import library_name

ROOT = Path(__file__).parent.parent
PYTHON_VERSION = "3.12"
LAYER_ROOT = "/opt/python"
"""Where Lambda puts a layer's `python/` folder."""

_DIGITS = 16
_KEEP_SECONDS = 3600.0
_LEFT_OUT_FOLDERS = {"bin", "include", "__pycache__", "test", "tests"}
_LEFT_OUT_SUFFIXES = {".asm", ".c", ".cmd", ".cpp", ".h", ".hpp", ".obj", ".pxd", ".pyi", ".pyx"}
_LEFT_OUT_FILES = {"INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "py.typed", "uv_cache.json"}


class BundlingError(Exception):
    """A layer could not be built; the message is the tool's."""


@dataclass(frozen=True, slots=True)
class Platform:
    """What native code is built for.

    Attributes
    ----------
    name
        Distinguishes cached builds.
    install_options
        Choose the wheels of `uv pip install`.
    zig_target
        Chooses the kernel's target; None is this machine.
    system
        In the notation of `sys.platform`.
    """

    name: str
    install_options: tuple[str, ...]
    zig_target: str | None
    system: str


def lambda_platform(architecture: Literal["x86_64", "arm64"]) -> Platform:
    """Return the platform of Lambda's python3.12: Amazon Linux 2023 with glibc 2.34.

    uv takes every wheel that glibc 2.34 can load. (pip would match the tag exactly, and silently pick old
    releases unless all older tags were named too.)
    """
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}[architecture]
    options = ("--python-platform", f"{machine}-manylinux_2_34", "--python-version", PYTHON_VERSION)
    return Platform(f"lambda-{architecture}", options, f"{machine}-linux-gnu.2.34", "linux")


def host_platform() -> Platform:
    """Return the platform of this interpreter, which is also the emulator's."""
    tag = f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"
    return Platform(f"host-{tag}", ("--python", sys.executable), None, sys.platform)


def dependencies(requirements: Path, platform: Platform, cache: Path = ROOT / "build") -> Path:
    """Return a folder with the packages of a hash-locked requirements file under `python/`.

    Raises
    ------
    BundlingError
        If uv cannot install them.
    """

    def install(folder: Path) -> None:
        target = folder / "python"
        _run(
            *(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--only-binary", ":all:"),
            *("--require-hashes", "--requirement", str(requirements), "--target", str(target)),
            *("--link-mode", "copy", *platform.install_options),
        )
        _leave_out(target)
        for library in target.rglob("*.so*"):
            strip(library)
        _compile(target, platform)

    inputs: list[str | bytes] = [platform.name, requirements.read_bytes(), _bytecode_version(platform)]
    return cached(cache, requirements.parent.name, inputs, install)


def logstats_package(platform: Platform, cache: Path = ROOT / "build") -> Path:
    """Return a folder with the `logstats` package and its compiled kernel under `python/`.

    Raises
    ------
    BundlingError
        If the kernel does not compile.
    """
    source = ROOT / "layers" / "logstats"
    sources = sorted(path for path in source.rglob("*") if path.suffix in {".py", ".c", ".h"})
    inputs: list[str | bytes] = [platform.name, _bytecode_version(platform)]
    for path in sources:
        inputs += [path.relative_to(source).as_posix(), path.read_bytes()]

    def compile_and_copy(folder: Path) -> None:
        package = folder / "python" / "logstats"
        for path in sources:
            if path.suffix == ".py":
                copy = package / path.relative_to(source)
                copy.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, copy)
        try:
            compile_kernel(package / "native" / library_name(platform.system), platform.zig_target)
        except subprocess.CalledProcessError as error:
            raise BundlingError(f"the kernel does not compile for {platform.name}") from error
        _compile(folder / "python", platform)

    return cached(cache, "logstats", inputs, compile_and_copy)


def cached(cache: Path, name: str, inputs: list[str | bytes], make: Callable[[Path], None]) -> Path:
    """Return the folder that `make` makes from these inputs, making it now unless it is there.

    Half a folder is never seen, and two processes may ask at once. What was not asked for lately is removed.
    """
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for value in inputs:
        data = value.encode() if isinstance(value, str) else value
        digest.update(len(data).to_bytes(8, "big") + data)
    folder = cache / f"{name}-{digest.hexdigest()[:_DIGITS]}"
    if folder.exists():
        os.utime(folder)
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=f".{name}-") as unfinished:
        make(Path(unfinished, "made"))
        try:
            Path(unfinished, "made").rename(folder)
        except OSError:
            if not folder.exists():  # otherwise another process was faster, with the same content
                raise
    _remove_old(cache, name)
    return folder


def _remove_old(cache: Path, name: str) -> None:
    """Remove what was made from earlier inputs, unless somebody may still use it."""
    for folder in cache.glob(f"{name}-" + "[0-9a-f]" * _DIGITS):
        if folder.stat().st_mtime < time.time() - _KEEP_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)


def _leave_out(target: Path) -> None:
    """Remove what no function needs: scripts, tests, caches, type stubs, C sources, installation records."""
    for folder, names, files in os.walk(target, topdown=True):
        for name in [name for name in names if name in _LEFT_OUT_FOLDERS]:
            shutil.rmtree(Path(folder, name))
            names.remove(name)
        for file in files:
            path = Path(folder, file)
            if path.suffix in _LEFT_OUT_SUFFIXES or file in _LEFT_OUT_FILES:
                path.unlink()


def _bytecode_version(platform: Platform) -> str:
    """Return the version of the bytecode to include; none if this interpreter cannot make the platform's."""
    ours, theirs = sys.version_info[:2], tuple(map(int, PYTHON_VERSION.split(".")))
    return f"{sys.implementation.cache_tag}" if platform.zig_target is None or ours == theirs else ""


def _compile(target: Path, platform: Platform) -> None:
    """Add bytecode: a layer is read-only, so that every cold start would compile all it imports again.

    It is never checked against its source, whose time stamp a layer does not keep, and it is reproducible.
    """
    if not _bytecode_version(platform):
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
