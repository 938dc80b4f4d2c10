"""Formats of log objects, and what is broken down: from `cdk.json` into the variables of the function and the backfill's task."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from cdk import ROOT
from cdk.app import synthesise
from logstats.domain.route import parse_routes
from logstats.native import Kept, compile_routes
from logstats.settings import load
from processor.settings import ProcessorSettings
from tests.infrastructure.templates import template
from tests.infrastructure.test_parameters import OWN


def variables(found: dict[str, dict[str, Any]]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Those of the processor's function, and of the backfill's task."""
    (function,) = (
        resource["Properties"]["Environment"]["Variables"]
        for name, resource in found.items()
        if resource["Type"] == "AWS::Lambda::Function" and "Processor" in name
    )
    (task,) = (
        resource["Properties"]["ContainerDefinitions"][0]["Environment"]
        for resource in found.values()
        if resource["Type"] == "AWS::ECS::TaskDefinition"
    )
    return function, {variable["Name"]: variable["Value"] for variable in task}


def test_without_formats_the_content_decides() -> None:
    for found in variables(template("dev, backfill")["Resources"]):
        assert "REJECTS_BUCKET" in found
        assert not {"LOG_FORMATS", "IGNORE", "BREAKDOWN", "ROUTES"} & set(found)


def test_formats_travel_with_the_text_of_their_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = tmp_path / "own.toml"
    own.write_text(OWN)
    context = copy.deepcopy(json.loads((ROOT / "cdk.json").read_text())["context"])
    context["environments"]["dev"] |= {
        "formats": [
            {"prefix": "alb/", "format": "aws-alb", "customer": "@target host[1]"},
            {"prefix": "app/", "format": str(own), "zone": "+02:00"},
        ],
        "ignore": ["*.tmp"],
        "breakdown": ["slots", "routes"],
        "routes": ["/v1/orders/{orderId}"],
    }
    synthesise(context | {"environment": "dev", "backfill": True}, tmp_path)
    own.unlink()
    written = json.loads((tmp_path / "logstats-dev.template.json").read_text())["Resources"]
    for found in variables(written):
        for name in ("LOG_FORMATS", "IGNORE", "BREAKDOWN", "ROUTES"):
            monkeypatch.setenv(name, found[name])
        settings = load(ProcessorSettings)
        assert settings.ignore == ("*.tmp",)
        assert settings.kept == Kept(3, compile_routes(parse_routes(["/v1/orders/{orderId}"])))
        assert [(rule.prefix, rule.format) for rule in settings.log_formats] == [
            ("alb/", "aws-alb"),
            ("app/", "own"),
        ]
        assert settings.log_formats[1].load().timestamp.zone == 7_200
