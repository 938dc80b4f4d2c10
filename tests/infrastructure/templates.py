"""Synthesised templates, and ways to look into them."""

import json
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from cdk import ROOT, app
from cdk.parameters import Parameters, read
from local.cloud.synthesis import cloud_assembly

Resource = dict[str, Any]


VARIANTS = (
    *("dev", "prod", "dev backfill=true"),
    *("prod auth=jwt backfill=true", "prod auth=none backfill=true"),
)
"""Environments, with what the CDK command line is given besides; what is tested of one holds for all."""
COMMITTED: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
_ISSUER = {"issuer": "https://id.example", "audience": "stats"}


def environment_of(variant: str) -> str:
    return variant.split(maxsplit=1)[0]


def context(variant: str) -> dict[str, str]:
    given = dict(option.split("=") for option in variant.split()[1:])
    return given | (_ISSUER if given.get("auth") == "jwt" else {})


def synthesised_here(given: Mapping[str, Any], folder: Path) -> None:
    """Synthesise in this process: jsii starts once for all, which takes longer than a stack.

    That the command line gives the same is a test of `test_app.py`.
    """
    app.synthesise({**COMMITTED, **given}, folder)


def assembly(variant: str) -> Path:
    return cloud_assembly(environment_of(variant), context(variant), synthesised_here)


@lru_cache
def template(variant: str) -> dict[str, Any]:
    return load(assembly(variant) / f"logstats-{environment_of(variant)}.template.json")


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def parameters(variant: str) -> Parameters:
    (found,) = read(COMMITTED | context(variant) | {"environment": environment_of(variant)})
    return found


def resources(environment: str, kind: str) -> dict[str, Resource]:
    """All resources of a type, by logical id; there must be some, or a test would pass for want of them."""
    found = {
        name: resource
        for name, resource in template(environment)["Resources"].items()
        if resource["Type"] == kind
    }
    assert found, f"no {kind} in {environment}"
    return found


def only(environment: str, kind: str) -> Resource:
    (resource,) = resources(environment, kind).values()
    return resource


def function(environment: str, word: str) -> Resource:
    """The function whose logical id contains a word."""
    (found,) = (
        resource for name, resource in resources(environment, "AWS::Lambda::Function").items() if word in name
    )
    return found


def statements(environment: str) -> list[tuple[str, dict[str, Any]]]:
    """Every statement of every policy: of roles, queues and buckets."""
    found = []
    for name, resource in template(environment)["Resources"].items():
        document = resource.get("Properties", {}).get("PolicyDocument")
        if document:
            found += [(name, statement) for statement in document["Statement"]]
    return found


def as_list(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return value if isinstance(value, list) else [value]
