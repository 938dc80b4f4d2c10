"""Deleted log objects: announced, and withdrawn, only where the parameters say so."""

import copy
import json
from pathlib import Path
from typing import Any

from cdk import ROOT
from cdk.app import synthesise
from tests.infrastructure.templates import resources


def announced(found: dict[str, dict[str, Any]]) -> list[str]:
    """The events that a bucket announces."""
    return [
        queue["Event"]
        for resource in found.values()
        for queue in resource["Properties"]
        .get("NotificationConfiguration", {})
        .get("QueueConfigurations", [])
    ]


def variables(found: dict[str, dict[str, Any]]) -> dict[str, Any]:
    (properties,) = (
        resource["Properties"]
        for name, resource in found.items()
        if resource["Type"] == "AWS::Lambda::Function" and "Processor" in name
    )
    environment: dict[str, Any] = properties["Environment"]["Variables"]
    return environment


def test_a_deletion_changes_nothing_unless_it_is_switched_on(tmp_path: Path) -> None:
    assert announced(resources("dev", "AWS::S3::Bucket")) == ["s3:ObjectCreated:*"]
    assert "WITHDRAW_REMOVED_OBJECTS" not in variables(resources("dev", "AWS::Lambda::Function"))
    context = copy.deepcopy(json.loads((ROOT / "cdk.json").read_text())["context"])
    context["environments"]["dev"].setdefault("processor", {})["withdraw_removed_objects"] = True
    synthesise(context | {"environment": "dev"}, tmp_path)
    having = json.loads((tmp_path / "logstats-dev.template.json").read_text())["Resources"]
    buckets = {name: resource for name, resource in having.items() if resource["Type"] == "AWS::S3::Bucket"}
    assert announced(buckets) == ["s3:ObjectCreated:*", "s3:ObjectRemoved:*"]
    assert variables(having)["WITHDRAW_REMOVED_OBJECTS"] == "true"
