"""Look before a deployment: ``python -m cdk.preflight ENVIRONMENT``, or ``make preflight ENV=dev``.

Whatever would stop the deployment is a line with what to do about it, and the status is 1. Nothing is changed, and nothing
costs money.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
from botocore.exceptions import BotoCoreError, ClientError

from cdk import ROOT
from cdk.account import CHECKS, Account, Finding
from cdk.outputs import stack_name
from cdk.parameters import Parameters, ParametersError, read

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_MACHINES = {"x86_64": ("x86_64", "amd64"), "arm64": ("aarch64", "arm64")}
"""Of each architecture of Lambda: the names that the kernel and Docker have for it."""


@dataclass(frozen=True)
class Docker:
    """The program that builds the processor's image, as the CDK command line chooses it."""

    program: str
    run: Callable[..., "subprocess.CompletedProcess[str]"] = subprocess.run

    def check(self, architecture: str) -> Iterator[Finding]:
        """Find out whether it can build an image for an architecture of Lambda."""
        try:
            info = self._ask("info", "--format", "{{json .}}")
        except FileNotFoundError:
            yield Finding(
                f"docker: there is no program {self.program}: install Docker, or name another one in CDK_DOCKER"
            )
            return
        if info.returncode:
            yield Finding(
                f"docker: {(info.stderr or info.stdout).strip().splitlines()[-1]} Start the daemon."
            )
            return
        found = json.loads(info.stdout)
        machine, system = str(found.get("Architecture")), str(found.get("OSType", "linux"))
        if system != "linux":
            yield Finding(f"docker: its containers are {system}'s: switch it to Linux containers")
        elif machine not in _MACHINES[architecture] and not self._emulates(architecture):
            name = _MACHINES[architecture][1]
            yield Finding(
                f"docker: this machine is {machine}, and the image is for {architecture}: docker run --privileged --rm"
                f' tonistiigi/binfmt --install {name}, or "architecture": "{_other(architecture)}" in cdk.json'
            )

    def _emulates(self, architecture: str) -> bool:
        """Tell whether the kernel, or the builder's, runs programs of another architecture."""
        kernel, docker = _MACHINES[architecture]
        builder = self._ask("buildx", "inspect")
        return f"linux/{docker}" in builder.stdout or (_BINFMT / f"qemu-{kernel}").exists()

    def _ask(self, *arguments: str) -> "subprocess.CompletedProcess[str]":
        return self.run([self.program, *arguments], capture_output=True, text=True, check=False)


def _other(architecture: str) -> str:
    return "x86_64" if architecture == "arm64" else "arm64"


def check_account(session: boto3.Session, parameters: Parameters) -> Iterator[Finding]:
    """Find out whether the account and region can take the stack; without credentials nothing else is asked."""
    if not session.region_name:
        yield Finding("region: none is chosen: export AWS_REGION=eu-central-1, or run aws configure")
        return
    try:
        identity = session.client("sts").get_caller_identity()
    except (BotoCoreError, ClientError) as error:
        yield Finding(f"credentials: {error}: run aws configure or aws sso login, or choose AWS_PROFILE")
        return
    account = Account(session, parameters, identity["Account"])
    for check in CHECKS:
        try:
            yield from check(account)
        except (BotoCoreError, ClientError) as error:
            yield Finding(f"{check.__name__}: not looked up: {error}", fails=False)


def _parameters(name: str) -> Parameters:
    if name == "local":
        raise ParametersError("environment 'local' is a laptop's: make run")
    context = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
    (parameters,) = read(context | {"environment": name})
    return parameters


def _report(findings: Iterable[Finding], environment: str) -> bool:
    """Print findings as they come; return whether one of them stops the deployment."""
    failed = False
    for finding in findings:
        print(finding.text if finding.fails else f"note: {finding.text}", flush=True)
        failed |= finding.fails
    if not failed:
        print(f"{stack_name(environment)} can be deployed")
    return failed


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(prog="python -m cdk.preflight", description="Look before a deployment.")
    parser.add_argument("environment", help="of cdk.json, such as dev")
    environment = parser.parse_args().environment
    try:
        parameters = _parameters(environment)
    except ParametersError as error:
        sys.exit(f"error: {error}")
    # boto3 alone does not know the variable that the CDK command line reads first.
    session = boto3.Session(region_name=os.environ.get("AWS_REGION"))

    def findings() -> Iterator[Finding]:
        yield from Docker(os.environ.get("CDK_DOCKER", "docker")).check(parameters.architecture)
        yield from check_account(session, parameters)

    sys.exit(_report(findings(), environment))


if __name__ == "__main__":
    main()
