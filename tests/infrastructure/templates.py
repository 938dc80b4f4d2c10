"""Synthesised templates, and ways to look into them."""

import json
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from cdk import ROOT, app
from cdk.parameters import Parameters, read
from local.cloud.synthesis import cloud_assembly

Resource = dict[str, Any]


COMMITTED: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text(encoding="utf-8"))["context"]
_BACKFILL = {"backfill": {"enabled": True}}
_JWT = {"api": {"auth": "jwt", "issuer": "https://id.example", "audience": "stats"}}
CHANGES: dict[str, dict[str, Any]] = {
    "dev": {},
    "prod": {},
    "local": {},
    "local, kept": {"retain_data": True, "api": {"auth": "iam"}, "monitoring": {"email": "none"}},
    "local, existing bucket": {"logs_bucket": "logs-of-a-company", "log_objects_days": None},
    "dev, backfill": _BACKFILL,
    "dev, open, backfill": {"api": {"auth": "none"}, **_BACKFILL},
    "prod, tokens, backfill": _JWT | _BACKFILL,
    "dev, deliveries": {
        "deliveries": ["alb", "cloudfront", "firehose", "s3"],
        "monitoring": {"silent_hours": 24},
        "retention_days": 400,
    },
    "prod, existing bucket": {
        "logs_bucket": "request-logs-of-a-company",
        "base_image": f"public.ecr.aws/lambda/python@sha256:{64 * '0'}",
        "architecture": "x86_64",
        "archive_days": None,
        "processor": {"withdraw_removed_objects": True},
        "retention_days": 400,
    },
}
"""Change `cdk.json` for each variant of an environment."""
VARIANTS = ("dev", "prod", "dev, backfill", "dev, open, backfill", "prod, tokens, backfill")
"""Stand for all: what is tested of one holds for the others."""


def environment_of(variant: str) -> str:
    return variant.partition(",")[0]


def context(variant: str) -> dict[str, Any]:
    """The context that `cdk.json` would have."""
    environment, changes = environment_of(variant), CHANGES[variant]
    values: dict[str, Any] = dict(COMMITTED["environments"][environment])
    for name, value in changes.items():
        values[name] = {**values.get(name, {}), **value} if isinstance(value, dict) else value
    return COMMITTED | {"environment": environment, "environments": {environment: values}}


def synthesised_here(given: Mapping[str, Any], folder: Path) -> None:
    """Synthesise in this process: jsii starts once for all, which takes longer than a stack.

    That the command line gives the same is a test of `test_app.py`.
    """
    app.synthesise({**COMMITTED, **given}, folder)


def assembly(variant: str) -> Path:
    if not CHANGES[variant]:
        return cloud_assembly(environment_of(variant), synthesise=synthesised_here)
    name = re.sub(r"\W+", "-", variant)
    return cloud_assembly(name, {"variant": json.dumps(context(variant))}, _variant)


def _variant(given: Mapping[str, str], folder: Path) -> None:
    app.synthesise(json.loads(given["variant"]), folder)


@lru_cache
def template(variant: str) -> dict[str, Any]:
    return load(assembly(variant) / f"logstats-{environment_of(variant)}.template.json")


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return loaded


def parameters(variant: str) -> Parameters:
    (found,) = read(context(variant))
    return found


def resources(environment: str, kind: str) -> dict[str, Resource]:
    """All resources of a type, by logical id; there must be some, or a test would pass for want of them."""
    found = of_kind(template(environment)["Resources"], kind)
    assert found, f"no {kind} in {environment}"
    return found


def of_kind(found: dict[str, Resource], kind: str) -> dict[str, Resource]:
    return {name: resource for name, resource in found.items() if resource["Type"] == kind}


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
        if document and resource["Type"] != "AWS::EC2::VPCEndpoint":  # which lets through, and allows nothing
            found += [(name, statement) for statement in document["Statement"]]
    return found


def as_list(value: Any) -> list[Any]:  # noqa: ANN401 - JSON
    return value if isinstance(value, list) else [value]
