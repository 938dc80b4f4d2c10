"""The morning report: nothing of it by default; with `report`, a function outside the network, its topic and its schedule."""

import copy
import json
import re
from typing import Any

import pytest

from cdk import ROOT, outputs
from cdk.app import synthesise
from cdk.parameters import ParametersError, read
from tests.infrastructure.templates import as_list, of_kind, template
from tests.infrastructure.test_alarms import resolved

Resources = dict[str, dict[str, Any]]


def context(environment: str, report: object, **more: object) -> dict[str, Any]:
    committed: dict[str, Any] = copy.deepcopy(json.loads((ROOT / "cdk.json").read_text())["context"])
    committed["environments"][environment]["report"] = report
    return committed | {"environment": environment, **more}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The template of prod, whose API has an alias, with a report; cdk-nag has passed."""
    folder = tmp_path_factory.mktemp("report")
    report = {"hour": 6, "time_zone": "Europe/Berlin", "objective": 99.95, "email": "team@example.com"}
    synthesise(context("prod", report), folder)
    found: dict[str, Any] = json.loads((folder / "logstats-prod.template.json").read_text())
    return found


@pytest.fixture
def resources(stack: dict[str, Any]) -> Resources:
    found: Resources = stack["Resources"]
    return found


def added(resources: Resources) -> Resources:
    return {name: each for name, each in resources.items() if name not in template("prod")["Resources"]}


def only(resources: Resources, kind: str) -> tuple[str, dict[str, Any]]:
    ((name, resource),) = ((name, each) for name, each in added(resources).items() if each["Type"] == kind)
    return name, resource["Properties"]


@pytest.mark.parametrize("environment", ["dev", "prod", "local"])
def test_it_is_off_by_default(environment: str) -> None:
    assert not [name for name in template(environment)["Resources"] if "Report" in name]


def test_it_changes_nothing_else(resources: Resources) -> None:
    default = template("prod")["Resources"]
    changed = {name for name in default if resources.get(name) != default[name]}
    assert changed == set(of_kind(default, "Custom::DeletionProtection")), "which waits for everything else"
    assert all("Report" in name for name in added(resources))


def test_the_function_is_outside_the_network_and_knows_what_to_report(resources: Resources) -> None:
    _, function = only(resources, "AWS::Lambda::Function")
    assert "VpcConfig" not in function
    assert "Layers" not in function
    variables = resolved(function["Environment"]["Variables"])
    assert (variables["API_AUTH"], variables["ENVIRONMENT"], variables["OBJECTIVE"]) == (
        "iam",
        "prod",
        "99.95",
    )
    assert variables["API_FUNCTION"].startswith("ApiLive"), "the alias, as the gateway"
    assert variables["TOPIC"] == only(resources, "AWS::SNS::Topic")[0]
    assert function["LoggingConfig"]["LogGroup"]


def test_it_may_invoke_that_one_function_and_publish_to_that_one_topic(resources: Resources) -> None:
    found = {
        action: resolved(statement["Resource"])
        for name, each in added(resources).items()
        if each["Type"] == "AWS::IAM::Policy" and "Scheduler" not in name
        for statement in each["Properties"]["PolicyDocument"]["Statement"]
        for action in as_list(statement["Action"])
    }
    (api,) = (name for name, each in resources.items() if each["Type"] == "AWS::Lambda::Alias")
    assert found.pop("lambda:InvokeFunction") == api
    assert found.pop("sns:Publish") == only(resources, "AWS::SNS::Topic")[0]
    failures, _ = only(resources, "AWS::SQS::Queue")
    assert {found.pop(action) for action in list(found) if action.startswith("sqs:")} == {failures}
    assert set(found) == {"logs:CreateLogStream", "logs:PutLogEvents"}


def test_nobody_else_of_the_stack_may_invoke_the_api_s_function_but_the_gateway(resources: Resources) -> None:
    """Who invokes it writes who the caller is (`report.client`)."""
    api = {name for name in resources if re.match("Api(Live|Function)", name)}
    allowed = {
        name
        for name, each in resources.items()
        if each["Type"] == "AWS::IAM::Policy"
        for statement in each["Properties"]["PolicyDocument"]["Statement"]
        if "lambda:InvokeFunction" in as_list(statement["Action"])
        and {*as_list(resolved(statement["Resource"]))} & api
    }
    assert [re.sub("[0-9A-F]{8}$", "", name) for name in allowed] == ["ReportRoleDefaultPolicy"]
    for each in resources.values():
        if each["Type"] == "AWS::Lambda::Permission" and resolved(each["Properties"]["FunctionName"]) in api:
            assert each["Properties"]["Principal"] == "apigateway.amazonaws.com"
            assert each["Properties"]["SourceArn"]


def test_the_topic_is_encrypted_takes_tls_only_and_has_the_subscriber(resources: Resources) -> None:
    topic, properties = only(resources, "AWS::SNS::Topic")
    assert "alias/aws/sns" in resolved(properties["KmsMasterKeyId"])
    _, subscription = only(resources, "AWS::SNS::Subscription")
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "team@example.com")
    _, policy = only(resources, "AWS::SNS::TopicPolicy")
    (statement,) = policy["PolicyDocument"]["Statement"]
    assert (statement["Effect"], statement["Condition"]) == (
        "Deny",
        {"Bool": {"aws:SecureTransport": "false"}},
    )
    assert resolved(policy["Topics"]) == [topic]


def test_the_outputs_name_the_topic(stack: dict[str, Any], resources: Resources) -> None:
    named = resolved(stack["Outputs"][outputs.REPORT_TOPIC]["Value"])
    assert named == only(resources, "AWS::SNS::Topic")[0]


def test_it_runs_every_day_at_its_hour_and_what_fails_for_good_is_kept(resources: Resources) -> None:
    function, _ = only(resources, "AWS::Lambda::Function")
    failures, queue = only(resources, "AWS::SQS::Queue")
    _, schedule = only(resources, "AWS::Scheduler::Schedule")
    assert schedule["ScheduleExpression"] == "cron(0 6 * * ? *)"
    assert schedule["ScheduleExpressionTimezone"] == "Europe/Berlin"
    assert schedule["FlexibleTimeWindow"] == {"Mode": "OFF"}
    target = schedule["Target"]
    assert json.loads(target["Input"]) == {"scheduled_time": "<aws.scheduler.scheduled-time>"}
    assert target["Arn"] == {"Fn::GetAtt": [function, "Arn"]}
    arn = {"Fn::GetAtt": [failures, "Arn"]}
    assert target["DeadLetterConfig"] == {"Arn": arn}
    _, invocation = only(resources, "AWS::Lambda::EventInvokeConfig")
    assert invocation["MaximumRetryAttempts"] == 2
    assert invocation["DestinationConfig"] == {"OnFailure": {"Destination": arn}}
    assert queue["MessageRetentionPeriod"] == 86_400, "the alarm ends by itself"


def alarms(resources: Resources) -> dict[str, Any]:
    return {
        name[:-8]: resolved(each["Properties"])
        for name, each in added(resources).items()
        if each["Type"] == "AWS::CloudWatch::Alarm"
    }


def test_a_report_that_fails_or_never_comes_raises_an_alarm(resources: Resources) -> None:
    found = alarms(resources)
    failed, silent = found.pop("MonitoringReport"), found.pop("MonitoringReportSilence")
    assert found == {}
    queue, function = only(resources, "AWS::SQS::Queue")[0], only(resources, "AWS::Lambda::Function")[0]
    assert failed["Dimensions"] == [{"Name": "QueueName", "Value": queue}]
    assert (failed["Threshold"], failed["MetricName"]) == (0, "ApproximateNumberOfMessagesVisible")
    assert silent["Dimensions"] == [{"Name": "FunctionName", "Value": function}]
    assert (silent["MetricName"], silent["TreatMissingData"]) == ("Invocations", "missing")
    assert failed["AlarmActions"] == silent["InsufficientDataActions"] != []


@pytest.mark.parametrize(
    ("wrong", "where"),
    [
        ({"hour": 24}, "report.hour: Input should be less than or equal to 23"),
        ({"hour": "6"}, "report.hour: Input should be a valid integer"),
        ({"time_zone": "Mars/Olympus"}, "report.time_zone: invalid timezone: Mars/Olympus"),
        ({"objective": 100.5}, "report.objective: Input should be less than or equal to 100"),
        ({"objective": 99.9999}, "report.objective: Decimal input should have no more than 3 decimal places"),
        ({"email": "nobody"}, "report.email: String should match"),
        ({"hours": 6}, "report.hours: Unexpected keyword argument"),
        (6, "report: Input should be"),
    ],
)
def test_nonsense_is_refused(wrong: object, where: str) -> None:
    with pytest.raises(ParametersError, match=re.escape(f"environments.dev.{where}")):
        read(context("dev", wrong))


def test_an_empty_report_is_that_of_the_morning_in_utc() -> None:
    (found,) = read(context("dev", {}))
    assert found.report
    assert (found.report.hour, found.report.time_zone.key, str(found.report.objective)) == (6, "UTC", "99.9")


def test_the_runbook_has_a_section_for_each_alarm_and_finds_what_it_names(resources: Resources) -> None:
    sections = {
        alarm["AlarmDescription"].split("docs/runbook.md#")[1] for alarm in alarms(resources).values()
    }
    assert sections == {"report", "reportsilence"}
    runbook = (ROOT / "docs/runbook.md").read_text("utf-8")
    named = re.findall(r"\$\(resource (\S+) (Report\w+)\)", runbook)
    assert len(named) == 3
    for kind, start in named:
        found = [name for name, each in resources.items() if each["Type"] == kind and name.startswith(start)]
        assert len(found) == 1, (kind, start)
