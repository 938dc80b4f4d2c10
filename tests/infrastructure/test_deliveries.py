"""Logs that AWS's services write, and those of a bucket that somebody else owns."""

import json
from typing import Any

import pytest

from logstats.settings import load
from processor.reading.rules import rule_of
from processor.settings import ProcessorSettings
from tests.infrastructure.templates import as_list, function, of_kind, resources, statements, template

DELIVERIES, EXISTING = "dev, deliveries", "prod, existing bucket"
ACCOUNT = {"Ref": "AWS::AccountId"}


def written(value: Any) -> str:  # noqa: ANN401 - JSON
    """A template's text, with names in the places of references."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        return str(value["Fn::Join"][0]).join(map(written, value["Fn::Join"][1]))
    return str(value.get("Ref") or value["Fn::GetAtt"][0]).removeprefix("AWS::")


def accepted() -> dict[str, dict[str, Any]]:
    """Return what the policy of the bucket of log objects lets each service do."""
    (policy,) = (
        resource["Properties"]["PolicyDocument"]["Statement"]
        for name, resource in resources(DELIVERIES, "AWS::S3::BucketPolicy").items()
        if "Logs" in name
    )
    allowed = [statement for statement in policy if statement["Effect"] == "Allow"]
    return {statement["Principal"]["Service"]: statement for statement in allowed}


@pytest.mark.parametrize(
    ("service", "where", "source", "equals"),
    [
        (
            "logdelivery.elasticloadbalancing.amazonaws.com",
            "alb/AWSLogs/AccountId/*",
            "arn:Partition:elasticloadbalancing:Region:AccountId:loadbalancer/*",
            None,
        ),
        (
            "delivery.logs.amazonaws.com",
            "cloudfront/*",
            "arn:Partition:logs:us-east-1:AccountId:delivery-source:*",
            {"aws:SourceAccount": ACCOUNT, "s3:x-amz-acl": "bucket-owner-full-control"},
        ),
        ("logging.s3.amazonaws.com", "s3/*", "arn:Partition:s3:::*", {"aws:SourceAccount": ACCOUNT}),
    ],
)
def test_a_service_may_write_below_its_prefix_for_this_account(
    service: str, where: str, source: str, equals: dict[str, Any] | None
) -> None:
    statement = accepted()[service]
    assert statement["Action"] == "s3:PutObject"
    assert written(statement["Resource"]).partition("/")[2] == where
    assert written(statement["Condition"]["ArnLike"]["aws:SourceArn"]) == source
    assert statement["Condition"].get("StringEquals") == equals


def test_nobody_else_may_write() -> None:
    assert len(accepted()) == 3
    (bucket,) = (name for name in resources("dev", "AWS::S3::Bucket") if "Logs" in name)
    for name, statement in statements("dev"):
        if name.startswith("IngestLogs"):
            assert statement["Effect"] == "Deny", "without deliveries nobody may"
    assert bucket


def test_firehose_writes_with_a_role_of_this_account() -> None:
    found = template(DELIVERIES)
    ((name, role),) = (
        (name, role["Properties"])
        for name, role in of_kind(found["Resources"], "AWS::IAM::Role").items()
        if "Firehose" in name
    )
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "firehose.amazonaws.com"}
    assert trust["Condition"] == {"StringEquals": {"sts:ExternalId": ACCOUNT}}
    assert found["Outputs"]["FirehoseRole"]["Value"] == {"Fn::GetAtt": [name, "Arn"]}
    rights = {
        action: {written(each).partition("/")[2] for each in as_list(statement["Resource"])}
        for policy, statement in statements(DELIVERIES)
        if "Firehose" in policy
        for action in as_list(statement["Action"])
    }
    assert rights.pop("s3:ListBucket") == {""}
    assert rights["s3:PutObject"] == {"firehose/*", "firehose-errors/*"}
    assert not [action for action in rights if "Delete" in action]


def test_what_is_delivered_is_read_as_what_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    variables = function(DELIVERIES, "Processor")["Properties"]["Environment"]["Variables"]
    for name in ("LOG_FORMATS", "IGNORE"):
        monkeypatch.setenv(name, variables[name])
    settings = load(ProcessorSettings)
    for key, preset in {
        "alb/AWSLogs/1/elasticloadbalancing/eu-west-1/2024/09/03/x.log.gz": "aws-alb",
        "cloudfront/E1.2024-09-03-08.x.gz": "aws-cloudfront",
        "s3/2024-09-03-08-15-02-X": "aws-s3",
        "firehose/2024/09/03/08/x": "auto",
        "other.log": "auto",
    }.items():
        assert rule_of(settings.log_formats, key).format == preset
    assert "firehose-errors/*" in settings.ignore
    assert "*ELBAccessLogTestFile" in settings.ignore, "a load balancer's first object is none"


def test_an_existing_bucket_is_left_as_it_is_and_heard_through_eventbridge() -> None:
    found = resources(EXISTING, "AWS::S3::Bucket")
    assert all("Rejects" in name for name in found), "it is not the stack's, and stays when that goes"
    assert "request-logs-of-a-company" not in json.dumps(
        of_kind(template(EXISTING)["Resources"], "AWS::S3::BucketPolicy")
    )
    ((name, rule),) = (
        (name, rule["Properties"])
        for name, rule in resources(EXISTING, "AWS::Events::Rule").items()
        if "Announcements" in name
    )
    assert rule["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created", "Object Deleted"],
        "detail": {"bucket": {"name": ["request-logs-of-a-company"]}},
    }
    (target,) = rule["Targets"]
    (mapping,) = resources(EXISTING, "AWS::Lambda::EventSourceMapping").values()
    assert target["Arn"] == mapping["Properties"]["EventSourceArn"]
    (allowed,) = (
        statement
        for _, statement in statements(EXISTING)
        if statement.get("Principal") == {"Service": "events.amazonaws.com"}
        and statement["Resource"] == target["Arn"]
    )
    assert allowed["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [name, "Arn"]}}}
    assert template(EXISTING)["Outputs"]["LogsBucket"]["Value"] == "request-logs-of-a-company"


def test_the_processor_reads_an_existing_bucket_and_changes_nothing_in_it() -> None:
    rights = {
        action
        for policy, statement in statements(EXISTING)
        if "Processor" in policy and "request-logs-of-a-company" in json.dumps(statement["Resource"])
        for action in as_list(statement["Action"])
    }
    assert rights == {"s3:GetObject", "s3:GetObjectVersion", "s3:ListBucket"}


def test_a_silence_of_uploads_is_an_alarm_where_its_length_is_said() -> None:
    alarms = resources(DELIVERIES, "AWS::CloudWatch::Alarm")
    (silence,) = (alarm["Properties"] for name, alarm in alarms.items() if "NoLogObjects" in name)
    assert silence["MetricName"] == "NumberOfMessagesSent"
    assert (silence["ComparisonOperator"], silence["Threshold"]) == ("LessThanThreshold", 1)
    assert (silence["Period"], silence["EvaluationPeriods"], silence["DatapointsToAlarm"]) == (3600, 24, 24)
    assert silence["TreatMissingData"] == "breaching", "SQS publishes nothing of a queue that nobody uses"
    assert not [name for name in resources("dev", "AWS::CloudWatch::Alarm") if "NoLogObjects" in name]
