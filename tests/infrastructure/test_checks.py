"""cdk-nag: nothing is broken without a reason, and no reason is left over.

The stacks are synthesised here with the acknowledgements only written down, so that every finding is reported.
"""

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App
from constructs import IConstruct

from cdk import ROOT, checks, parameters
from cdk.app import BrokenRuleError, synthesise
from cdk.stack import LogstatsStack

CONTEXT: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]
MODULES = [
    f"cdk.{path.stem}" for path in (ROOT / "cdk").glob("*.py") if "import acknowledge" in path.read_text()
]

Findings = dict[tuple[str, str], list[str]]


@pytest.fixture(scope="module")
def unacknowledged(tmp_path_factory: pytest.TempPathFactory) -> tuple[Findings, Findings]:
    """Findings by rule and construct, and acknowledgements likewise, for dev and prod, backfill and all, and a local cloud."""
    acknowledged: Findings = defaultdict(list)

    def note(construct: IConstruct, rule: str, reason: str) -> None:
        acknowledged[f"{checks.PACK}-{rule}", construct.node.path].append(reason)

    output = tmp_path_factory.mktemp("report")
    app = App(context=CONTEXT, outdir=str(output))
    checks.install(app)
    with pytest.MonkeyPatch.context() as patch:
        for module in MODULES:
            patch.setattr(f"{module}.acknowledge", note)
        for environment in ("dev", "prod", "local"):
            (chosen,) = parameters.read(
                CONTEXT | {"environment": environment, "backfill": environment != "local"}
            )
            LogstatsStack(app, chosen)
        with pytest.raises(RuntimeError, match="ValidationFailed"):
            app.synth()
    return findings(output), acknowledged


def findings(output: Path) -> Findings:
    report = json.loads((output / "validation-report.json").read_text())
    (plugin,) = report["pluginReports"]
    found: Findings = defaultdict(list)
    for violation in plugin["violations"]:
        for construct in violation["violatingConstructs"]:
            found[violation["ruleName"], construct["constructPath"]].append(violation["severity"])
    return found


def covers(acknowledgement: tuple[str, str], finding: tuple[str, str]) -> bool:
    return acknowledgement[0] == finding[0] and f"{finding[1]}/".startswith(f"{acknowledgement[1]}/")


def test_every_finding_has_a_reason_and_no_reason_is_obsolete(
    unacknowledged: tuple[Findings, Findings],
) -> None:
    found, acknowledged = unacknowledged
    assert [one for one in found if not any(covers(reason, one) for reason in acknowledged)] == []
    assert [reason for reason in acknowledged if not any(covers(reason, one) for one in found)] == []


def test_only_these_rules_are_broken(unacknowledged: tuple[Findings, Findings]) -> None:
    """A new kind of finding is a decision, not a line."""
    found, _ = unacknowledged
    assert {rule.removeprefix("AwsSolutions-").split("[")[0] for rule, _ in found} == {
        "ECS4",  # no Container Insights for the backfill
        "ECS2",  # the backfill's variables, none of which is a secret
        "APIG4",  # the page's routes, and auth=none
        "IAM5",  # objects of a bucket; actions without resources
        "L1",  # Python 3.12
        "RDS10",  # protected at the end of a deployment, not by the cluster's own property
        "SQS3",  # a queue of failures needs none of its own
        "S1",  # CloudTrail instead of server access logs
    }


def test_synthesis_fails_where_a_rule_is_broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("cdk.buckets.acknowledge", lambda *_: None)
    with pytest.raises(BrokenRuleError, match="rules are broken"):
        synthesise(CONTEXT | {"environment": "dev"}, tmp_path)
    assert {rule for rule, _ in findings(tmp_path)} == {"AwsSolutions-S1"}
