"""The backfill: nothing of it unless asked for, and then no more rights and no wider network than it needs."""

import json
from typing import Any

import pytest

from cdk import ROOT, outputs
from cdk.parameters import ParametersError, read
from logstats.metrics import NAMESPACE_VARIABLE
from logstats.pseudonyms import KEY_VARIABLE
from tests.infrastructure.templates import as_list, function, of_kind, template

CONTEXT: dict[str, Any] = json.loads((ROOT / "cdk.json").read_text())["context"]


@pytest.fixture
def pair() -> tuple[Any, Any]:
    """A template without and with the backfill."""
    return template("dev"), template("dev, backfill")


def added(pair: tuple[Any, Any], kind: str) -> dict[str, dict[str, Any]]:
    without, having = (each["Resources"] for each in pair)
    found = {
        name: having[name]["Properties"]
        for name in having.keys() - without.keys()
        if having[name]["Type"] == kind
    }
    assert found, kind
    return found


def only(pair: tuple[Any, Any], kind: str) -> dict[str, Any]:
    (found,) = added(pair, kind).values()
    return found


def test_off_nothing_of_it_is_there(pair: tuple[Any, Any]) -> None:
    without, having = pair
    assert not [name for name in without["Resources"] if name.startswith("Backfill")]
    assert not any(
        resource["Type"].startswith("AWS::ECS::")
        or resource["Properties"].get("VpcEndpointType") == "Interface"
        for resource in without["Resources"].values()
        if "Properties" in resource
    )
    changed = {
        name for name in without["Resources"] if without["Resources"][name] != having["Resources"].get(name)
    }
    (last,) = of_kind(without["Resources"], "Custom::DeletionProtection")
    assert changed == {last}, "it must not change anything else than what waits for everything"


def test_the_task_runs_the_processors_image(pair: tuple[Any, Any]) -> None:
    (container,) = only(pair, "AWS::ECS::TaskDefinition")["ContainerDefinitions"]
    processor = function("dev", "Processor")["Properties"]
    assert container["Image"] == processor["Code"]["ImageUri"]
    assert container["EntryPoint"] == ["python3", "-m", "processor.backfill", "--processes", "2"]
    variables = {variable["Name"]: variable["Value"] for variable in container["Environment"]}
    expected = processor["Environment"]["Variables"]
    of_functions = {
        "DATABASE_IDLE_SESSION_TIMEOUT_SECONDS",  # nothing cuts a task off
        "POWERTOOLS_LOG_LEVEL",  # its log is the command line's
        "POWERTOOLS_LOGGER_SAMPLE_RATE",
        NAMESPACE_VARIABLE,
        KEY_VARIABLE,
    }
    assert of_functions < expected.keys()
    for name in expected.keys() - of_functions:
        assert variables[name] == expected[name]
    assert container["ReadonlyRootFilesystem"] is True
    assert "Privileged" not in container


def test_it_may_do_what_the_processor_may_and_list(pair: tuple[Any, Any]) -> None:
    policies = {
        name: {
            action: statement["Resource"]
            for statement in policy["PolicyDocument"]["Statement"]
            for action in as_list(statement["Action"])
        }
        for name, policy in added(pair, "AWS::IAM::Policy").items()
    }
    (task,) = (rights for name, rights in policies.items() if "TaskRole" in name)
    assert set(task) == {
        "rds-db:connect",
        "s3:GetObject",
        "s3:GetObjectVersion",
        "s3:ListBucket",
        "s3:PutObject",
        "s3:DeleteObject",
    }
    assert "logstats_writer" in json.dumps(task["rds-db:connect"])
    assert "*" not in task.values()
    (execution,) = (rights for name, rights in policies.items() if "ExecutionRole" in name)
    assert [action for action, resource in execution.items() if resource == "*"] == [
        "ecr:GetAuthorizationToken"
    ]
    assert {action.split(":")[0] for action in execution} == {"ecr", "logs"}


def test_it_reaches_what_it_needs_to_start_through_endpoints_of_its_own(pair: tuple[Any, Any]) -> None:
    endpoints = added(pair, "AWS::EC2::VPCEndpoint").values()
    services = {endpoint["ServiceName"]["Fn::Join"][1][-1] for endpoint in endpoints}
    assert services == {".ecr.api", ".ecr.dkr", ".logs"}
    for endpoint in endpoints:
        assert endpoint["PrivateDnsEnabled"] is True
        assert len(endpoint["SubnetIds"]) == 1, "each further zone costs as much again"
    (inwards,) = added(pair, "AWS::EC2::SecurityGroupIngress").values()
    groups = added(pair, "AWS::EC2::SecurityGroup")
    (tasks,) = (name for name in groups if "Tasks" in name)
    assert inwards["SourceSecurityGroupId"] == {"Fn::GetAtt": [tasks, "GroupId"]}
    assert all(group["SecurityGroupEgress"][0]["CidrIp"] == "255.255.255.255/32" for group in groups.values())


def test_one_command_starts_it_without_a_public_address(pair: tuple[Any, Any]) -> None:
    command = "".join(
        part if isinstance(part, str) else "X"
        for part in pair[1]["Outputs"][outputs.BACKFILL_COMMAND]["Value"]["Fn::Join"][1]
    )
    assert command.startswith("aws ecs run-task --region X --cluster X --task-definition ")
    assert "assignPublicIp=DISABLED" in command
    overrides = json.loads(command.split("--overrides '")[1].rstrip("'"))
    assert overrides["containerOverrides"] == [{"name": "backfill", "command": ["s3://X/"]}]
    assert only(pair, "AWS::ECS::TaskDefinition")["Family"] in command


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), (True, True), ("false", False), (None, False)]
)
def test_the_command_line_says_whether(value: object, expected: bool) -> None:  # noqa: FBT001 - a parameter
    (dev,) = read(CONTEXT | {"environment": "dev", "backfill": value})
    assert dev.backfill.enabled is expected


@pytest.mark.parametrize(
    ("environment", "value", "message"),
    [
        ("dev", "yes", "-c backfill=yes: give true or false"),
        ("local", "true", "backfill needs the network of an aurora database"),
    ],
)
def test_what_cannot_be_is_one_clear_line(environment: str, value: str, message: str) -> None:
    with pytest.raises(ParametersError, match=message):
        read(CONTEXT | {"environment": environment, "backfill": value})
