"""The retention: with `retention_days` or `seal_days`, as in production, a function of its own and a daily schedule."""

import copy
import json
import re
from typing import Any

import pytest

from cdk import ROOT
from cdk.app import synthesise
from cdk.parameters import ParametersError, read
from tests.infrastructure.templates import as_list, of_kind, template
from tests.infrastructure.templates import function as in_template
from tests.infrastructure.test_alarms import resolved

Resources = dict[str, dict[str, Any]]


def context(environment: str, retention_days: object) -> dict[str, Any]:
    committed: dict[str, Any] = copy.deepcopy(json.loads((ROOT / "cdk.json").read_text())["context"])
    committed["environments"][environment]["retention_days"] = retention_days
    return committed | {"environment": environment}


@pytest.fixture(scope="module")
def resources(tmp_path_factory: pytest.TempPathFactory) -> Resources:
    """Those of dev with a retention of 90 days; cdk-nag has passed."""
    folder = tmp_path_factory.mktemp("retention")
    synthesise(context("dev", 90), folder)
    found: Resources = json.loads((folder / "logstats-dev.template.json").read_text())["Resources"]
    return found


def added(resources: Resources) -> Resources:
    return {name: each for name, each in resources.items() if name not in template("dev")["Resources"]}


def only(resources: Resources, kind: str) -> tuple[str, dict[str, Any]]:
    ((name, resource),) = ((name, each) for name, each in added(resources).items() if each["Type"] == kind)
    return name, resource


def test_production_seals_after_35_days_and_removes_nothing() -> None:
    variables = in_template("prod", "RetentionFunction")["Properties"]["Environment"]["Variables"]
    assert variables["SEAL_DAYS"] == "35"
    assert "RETENTION_DAYS" not in variables


def test_an_environment_that_says_nothing_seals() -> None:
    committed = context("dev", None)
    del committed["environments"]["dev"]["seal_days"]
    assert [found.seal_days for found in read(committed)] == [35]


@pytest.mark.parametrize("environment", ["dev", "local"])
def test_there_is_none_where_both_are_never(environment: str) -> None:
    found = template(environment)["Resources"]
    assert not [name for name in found if "Retention" in name]
    assert not [name for name, each in found.items() if each["Type"] == "AWS::Scheduler::Schedule"]


def test_it_changes_nothing_else(resources: Resources) -> None:
    default = template("dev")["Resources"]
    changed = {name for name in default if resources.get(name) != default[name]}
    assert changed == set(of_kind(default, "Custom::DeletionProtection")), "which waits for everything else"
    assert all("Retention" in name for name in added(resources))


def test_the_function_is_in_the_network_and_has_a_role_of_its_own(resources: Resources) -> None:
    _, function = only(resources, "AWS::Lambda::Function")
    properties = function["Properties"]
    migration = in_template("dev", "MigrationFunction")["Properties"]
    assert properties["VpcConfig"] == migration["VpcConfig"]
    assert properties["Layers"] == migration["Layers"]
    variables = properties["Environment"]["Variables"]
    assert variables["RETENTION_DAYS"] == "90"
    assert "logstats_expirer@" in json.dumps(variables["DATABASE_URL"])
    assert properties["Timeout"] == 900
    assert properties["LoggingConfig"]["LogGroup"]


def statements(resources: Resources) -> list[dict[str, Any]]:
    return [
        statement
        for each in added(resources).values()
        if each["Type"] == "AWS::IAM::Policy"
        for statement in each["Properties"]["PolicyDocument"]["Statement"]
    ]


def test_it_may_do_only_what_it_does(resources: Resources) -> None:
    allowed = {action for statement in statements(resources) for action in as_list(statement["Action"])}
    network = {action for action in allowed if action.startswith("ec2:")}
    assert allowed - network == {
        "logs:CreateLogStream",
        "logs:PutLogEvents",
        "rds-db:connect",
        "lambda:InvokeFunction",
        "sqs:SendMessage",
        "sqs:GetQueueAttributes",
        "sqs:GetQueueUrl",
    }
    for statement in statements(resources):
        if statement["Resource"] == "*":
            assert set(as_list(statement["Action"])) == network
    (connect,) = (statement for statement in statements(resources) if statement["Action"] == "rds-db:connect")
    assert json.dumps(connect["Resource"]).count("/logstats_expirer") == 1


def test_it_runs_every_day_and_what_fails_for_good_is_kept(resources: Resources) -> None:
    function, _ = only(resources, "AWS::Lambda::Function")
    failures, queue = only(resources, "AWS::SQS::Queue")
    _, schedule = only(resources, "AWS::Scheduler::Schedule")
    properties = schedule["Properties"]
    assert properties["ScheduleExpression"] == "cron(17 2 * * ? *)"
    assert properties.get("State", "ENABLED") == "ENABLED"
    target = properties["Target"]
    assert target["Arn"] == {"Fn::GetAtt": [function, "Arn"]}
    arn = {"Fn::GetAtt": [failures, "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": arn}
    assert target["RetryPolicy"] == {"MaximumEventAgeInSeconds": 3600, "MaximumRetryAttempts": 10}
    _, invocation = only(resources, "AWS::Lambda::EventInvokeConfig")
    assert invocation["Properties"]["MaximumRetryAttempts"] == 2
    assert invocation["Properties"]["DestinationConfig"] == {"OnFailure": {"Destination": arn}}
    assert queue["Properties"]["SqsManagedSseEnabled"]
    assert queue["Properties"]["MessageRetentionPeriod"] == 86_400, "the alarm ends by itself"


def test_only_the_scheduler_of_this_account_takes_the_role(resources: Resources) -> None:
    (trusted,) = (
        statement
        for each in added(resources).values()
        if each["Type"] == "AWS::IAM::Role"
        for statement in each["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        if statement["Principal"] == {"Service": "scheduler.amazonaws.com"}
    )
    assert trusted["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_it_begins_after_the_migration_and_the_processor(resources: Resources) -> None:
    """A processor of older code would add to closed days."""
    _, schedule = only(resources, "AWS::Scheduler::Schedule")
    needed = " ".join(schedule["DependsOn"])
    assert "MigrationApplied" in needed
    assert "IngestProcessorFunction" in needed
    assert "RetentionSchedulerRoleDefaultPolicy" in needed


def test_failures_raise_an_alarm(resources: Resources) -> None:
    failures, _ = only(resources, "AWS::SQS::Queue")
    alarm = resolved(alarms(resources)["MonitoringRetention"])
    assert alarm["Dimensions"] == [{"Name": "QueueName", "Value": failures}]
    assert (alarm["Threshold"], alarm["MetricName"]) == (0, "ApproximateNumberOfMessagesVisible")
    assert alarm["AlarmActions"]


def test_a_schedule_that_never_comes_raises_an_alarm(resources: Resources) -> None:
    """Without data its state is `INSUFFICIENT_DATA`, which tells the topic too; an invocation is never 0 or less."""
    function, _ = only(resources, "AWS::Lambda::Function")
    alarm = resolved(alarms(resources)["MonitoringRetentionSilence"])
    assert alarm["Dimensions"] == [{"Name": "FunctionName", "Value": function}]
    assert alarm["InsufficientDataActions"] == alarm["OKActions"] == alarm["AlarmActions"] != []
    assert (alarm["MetricName"], alarm["Statistic"], alarm["TreatMissingData"]) == (
        "Invocations",
        "Sum",
        "missing",
    )
    assert (alarm["Period"], alarm["EvaluationPeriods"], alarm["DatapointsToAlarm"]) == (86_400, 2, 2)
    assert (alarm["ComparisonOperator"], alarm["Threshold"]) == ("LessThanOrEqualToThreshold", 0)


def alarms(resources: Resources) -> dict[str, Any]:
    return {
        name[:-8]: each["Properties"]
        for name, each in added(resources).items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }


@pytest.mark.parametrize("wrong", [0, -1, 36_501, 1.5, "90", True])
def test_nonsense_is_refused(wrong: object) -> None:
    with pytest.raises(ParametersError, match=r"environments\.dev\.retention_days: Input should be"):
        read(context("dev", wrong))


def test_the_runbook_has_a_section_for_each_alarm_and_finds_what_it_names(resources: Resources) -> None:
    sections = {
        alarm["AlarmDescription"].split("docs/runbook.md#")[1] for alarm in alarms(resources).values()
    }
    assert sections == {"retention", "retentionsilence"}
    runbook = (ROOT / "docs/runbook.md").read_text("utf-8")
    named = re.findall(r"\$\(resource (\S+) (Retention\w+)\)", runbook)
    assert len(named) == 3
    for kind, start in named:
        found = [name for name, each in resources.items() if each["Type"] == kind and name.startswith(start)]
        assert len(found) == 1, (kind, start)
