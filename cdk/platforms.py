"""Platforms that native code is built for: Lambda, or this machine."""

import sys
import sysconfig
from dataclasses import dataclass
from typing import Literal

PYTHON_VERSION = (3, 12)
"""Of Lambda's python3.12."""


@dataclass(frozen=True, slots=True)
class Platform:
    """Name a platform that native code is built for."""

    name: str
    install_options: tuple[str, ...]
    """Of `uv pip install`."""
    zig_target: str | None
    """Of the kernel; None is this machine."""
    system: str
    """In the notation of `sys.platform`."""


def lambda_platform(architecture: Literal["x86_64", "arm64"]) -> Platform:
    """Return the platform of Lambda's python3.12: Amazon Linux 2023 with glibc 2.34.

    uv takes every wheel that glibc 2.34 can load. (pip would match the tag exactly, and silently pick old
    releases unless all older tags were named too.)
    """
    version = ".".join(map(str, PYTHON_VERSION))
    machine = {"x86_64": "x86_64", "arm64": "aarch64"}[architecture]
    options = ("--python-platform", f"{machine}-manylinux_2_34", "--python-version", version)
    return Platform(f"lambda-{architecture}", options, f"{machine}-linux-gnu.2.34", "linux")


def host_platform() -> Platform:
    """Return the platform of this interpreter, which is also the emulator's."""
    tag = f"{sys.implementation.cache_tag}-{sysconfig.get_platform()}"
    return Platform(f"host-{tag}", ("--python", sys.executable), None, sys.platform)


def bytecode_version(platform: Platform) -> str:
    """Return the version of the bytecode that this interpreter can make for a platform; empty if none."""
    fits = platform.zig_target is None or sys.version_info[:2] == PYTHON_VERSION
    return str(sys.implementation.cache_tag) if fits else ""
