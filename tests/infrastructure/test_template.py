"""Properties of the templates: of dev and prod, whoever may call the API, with the backfill and without."""

import json
from typing import Any

import pytest

from cdk import outputs
from cdk.api import OPEN_ROUTES, PROTECTED_ROUTES
from logstats.settings import RDS_CA_FILE
from tests.infrastructure.templates import (
    VARIANTS,
    as_list,
    assembly,
    environment_of,
    function,
    only,
    parameters,
    resources,
    statements,
    template,
)

pytestmark = pytest.mark.parametrize("environment", VARIANTS)

JUST_ONE = {variant for variant in VARIANTS if "backfill" not in variant}
"""The variants without backfill, whose network has one endpoint and two pairs of groups that talk."""
WILDCARD_OBJECTS = {
    "logs": {"s3:GetObject", "s3:GetObjectVersion"},
    "rejects": {"s3:DeleteObject", "s3:GetObject", "s3:PutObject"},
}
"""What may be done with any object of a bucket: log objects may have any name, and rejected lines have theirs."""
WILDCARD_RESOURCES = {
    # Has no resource to name: a token of ECR is for all repositories. Only with the backfill.
    "ecr:GetAuthorizationToken",
    # Has no resource to name.
    "ec2:DescribeManagedPrefixLists",
    # Lambda asks for these on "*" before it places a function in a VPC; some have no resource to name.
    "ec2:AssignPrivateIpAddresses",
    "ec2:CreateNetworkInterface",
    "ec2:DeleteNetworkInterface",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeSubnets",
    "ec2:UnassignPrivateIpAddresses",
    # X-Ray has no resource to name.
    "xray:PutTelemetryRecords",
    "xray:PutTraceSegments",
}


def functions(environment: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in resources(environment, "AWS::Lambda::Function").values()]


def database_functions(environment: str) -> list[dict[str, Any]]:
    """Those that connect to the database."""
    found = [
        properties
        for properties in functions(environment)
        if "DATABASE_URL" in properties.get("Environment", {}).get("Variables", {})
    ]
    assert len(found) == 3 + seals(environment)
    return found


def seals(environment: str) -> bool:
    """Tell whether an environment has the function that seals months."""
    return environment.startswith("prod")


def queues(environment: str) -> list[dict[str, Any]]:
    return [resource["Properties"] for resource in resources(environment, "AWS::SQS::Queue").values()]


def test_account_and_region_are_left_open(environment: str) -> None:
    text = json.dumps({**template(environment), "Rules": "name regions"})
    assert "us-east-1" not in text
    assert "000000000000" not in text


def test_trap_11_a_message_is_encrypted_invisible_for_six_timeouts_and_returns_at_least_five_times(
    environment: str,
) -> None:
    timeout = function(environment, "Processor")["Properties"]["Timeout"]
    (queue,) = (queue for queue in queues(environment) if "RedrivePolicy" in queue)
    assert all(each["SqsManagedSseEnabled"] for each in queues(environment))
    days = sorted(each["MessageRetentionPeriod"] // 86_400 for each in queues(environment))
    assert days[-2:] == [14, 14]
    assert set(days[:-2]) == ({1} if seals(environment) else set()), "the failures of what runs every day"
    assert queue["VisibilityTimeout"] >= 6 * timeout
    assert queue["RedrivePolicy"]["maxReceiveCount"] >= 5
    mapping = only(environment, "AWS::Lambda::EventSourceMapping")["Properties"]
    assert mapping["FunctionResponseTypes"] == ["ReportBatchItemFailures"]
    assert mapping["BatchSize"] == 1


def test_no_ingest_takes_longer_than_five_minutes_and_few_run_at_once(environment: str) -> None:
    assert function(environment, "Processor")["Properties"]["Timeout"] <= 300
    mapping = only(environment, "AWS::Lambda::EventSourceMapping")["Properties"]
    assert 2 <= mapping["ScalingConfig"]["MaximumConcurrency"] <= 100


def test_the_mapping_waits_for_the_right_to_read_the_queue(environment: str) -> None:
    mapping = only(environment, "AWS::Lambda::EventSourceMapping")
    policies = [
        name
        for name, statement in statements(environment)
        if "sqs:ReceiveMessage" in as_list(statement["Action"])
    ]
    assert set(policies) <= set(mapping["DependsOn"])


def test_buckets_are_private_encrypted_and_take_tls_only(environment: str) -> None:
    for name, bucket in resources(environment, "AWS::S3::Bucket").items():
        properties = bucket["Properties"]
        assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}, name
        assert properties["BucketEncryption"]["ServerSideEncryptionConfiguration"], name
        (policy,) = (
            policy["Properties"]["PolicyDocument"]
            for policy in resources(environment, "AWS::S3::BucketPolicy").values()
            if policy["Properties"]["Bucket"] == {"Ref": name}
        )
        assert {"Bool": {"aws:SecureTransport": "false"}} in [
            statement["Condition"] for statement in policy["Statement"] if statement["Effect"] == "Deny"
        ], name


def lifecycle(environment: str) -> dict[str, dict[str, Any]]:
    """The rules of each bucket, merged, by the word that its name ends in."""
    found: dict[str, dict[str, Any]] = {}
    for bucket in resources(environment, "AWS::S3::Bucket").values():
        rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
        assert {rule["Status"] for rule in rules} == {"Enabled"}
        name = bucket["Properties"]["BucketName"]["Fn::Join"][1][0]
        found[name.rstrip("-").rpartition("-")[2]] = {
            key: value for rule in rules for key, value in rule.items()
        }
    return found


def test_log_objects_stay_for_ever_in_prod_and_old_versions_rejects_and_broken_uploads_do_not(
    environment: str,
) -> None:
    logs, rejects = lifecycle(environment)["logs"], lifecycle(environment)["rejects"]
    assert logs.get("Transitions") == (
        [{"StorageClass": "GLACIER_IR", "TransitionInDays": 90}]
        if environment_of(environment) == "prod"
        else None
    )
    assert "Transitions" not in rejects
    assert logs["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert logs.get("ExpirationInDays") == (None if environment_of(environment) == "prod" else 30)
    assert rejects["ExpirationInDays"] == 90, "longer than a dead letter"
    assert logs["ExpiredObjectDeleteMarker"] is True
    for rules in (logs, rejects):
        assert rules["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}


def logs_bucket(environment: str) -> dict[str, Any]:
    (bucket,) = (
        resource
        for resource in resources(environment, "AWS::S3::Bucket").values()
        if "QueueConfigurations" in resource["Properties"].get("NotificationConfiguration", {})
    )
    return bucket


def test_the_logs_bucket_is_versioned_and_announces_creations_to_the_queue(environment: str) -> None:
    bucket = logs_bucket(environment)
    assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
    (announcement,) = bucket["Properties"]["NotificationConfiguration"]["QueueConfigurations"]
    assert announcement["Event"] == "s3:ObjectCreated:*"
    queue = announcement["Queue"]["Fn::GetAtt"][0]
    (policy,) = (
        name
        for name, resource in resources(environment, "AWS::SQS::QueuePolicy").items()
        if {"Ref": queue} in resource["Properties"]["Queues"]
    )
    assert policy in bucket["DependsOn"]


def granted(environment: str, service: str) -> dict[str, Any]:
    """The one statement of a resource's policy that lets a service of AWS in."""
    (statement,) = (
        statement
        for _, statement in statements(environment)
        if statement.get("Principal") == {"Service": service}
    )
    return statement


def test_only_this_bucket_of_this_account_may_send_to_the_queue(environment: str) -> None:
    statement = granted(environment, "s3.amazonaws.com")
    assert statement["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    bucket = logs_bucket(environment)
    arn = statement["Condition"]["ArnEquals"]["aws:SourceArn"]["Fn::Join"][1]
    name = bucket["Properties"]["BucketName"]["Fn::Join"][1]
    assert "".join(map(str, arn)).endswith(":s3:::" + "".join(map(str, name)))


def test_undeliverable_messages_are_announced_to_the_dead_letters_by_this_rule_only(environment: str) -> None:
    """Not by S3, whose configuration begins with a test event: it would wait there and raise the alarm."""
    ((name, bucket),) = (
        (name, resource["Properties"])
        for name, resource in resources(environment, "AWS::S3::Bucket").items()
        if "Rejects" in name
    )
    assert bucket["NotificationConfiguration"] == {"EventBridgeConfiguration": {"EventBridgeEnabled": True}}
    ((rule, announced),) = resources(environment, "AWS::Events::Rule").items()
    assert announced["Properties"]["EventPattern"] == {
        "source": ["aws.s3"],
        "detail-type": ["Object Created"],
        "detail": {"bucket": {"name": [{"Ref": name}]}, "object": {"key": [{"prefix": "undeliverable/"}]}},
    }
    (target,) = announced["Properties"]["Targets"]
    (queue,) = (each for each in queues(environment) if "RedrivePolicy" in each)
    assert target["Arn"] == queue["RedrivePolicy"]["deadLetterTargetArn"]
    statement = granted(environment, "events.amazonaws.com")
    assert statement["Resource"] == target["Arn"]
    assert statement["Action"] == "sqs:SendMessage"
    assert statement["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": [rule, "Arn"]}}}


def test_the_database_is_private_encrypted_and_takes_iam_and_tls_from_its_network_only(
    environment: str,
) -> None:
    cluster = only(environment, "AWS::RDS::DBCluster")["Properties"]
    assert cluster["StorageEncrypted"] is True
    assert cluster["EnableIAMDatabaseAuthentication"] is True
    parameters = only(environment, "AWS::RDS::DBClusterParameterGroup")["Properties"]["Parameters"]
    assert parameters["rds.force_ssl"] == "1"
    assert only(environment, "AWS::RDS::DBInstance")["Properties"]["PubliclyAccessible"] is False
    for properties in database_functions(environment):
        variables = properties["Environment"]["Variables"]
        names = ("DATABASE_TLS", "DATABASE_CA_FILE", "DATABASE_IAM_AUTH")
        assert [variables[name] for name in names] == ["verify-full", "rds", "true"]
        assert len(properties["VpcConfig"]["SubnetIds"]) == 2


def test_each_function_connects_as_a_role_of_its_own(environment: str) -> None:
    urls = [
        json.dumps(properties["Environment"]["Variables"]["DATABASE_URL"])
        for properties in database_functions(environment)
    ]
    users = {
        user
        for user in ("logstats_migrator", "logstats_writer", "logstats_reader", "logstats_expirer")
        for url in urls
        if user in url
    }
    assert len(users) == len(urls)
    connects = [
        json.dumps(statement["Resource"])
        for _, statement in statements(environment)
        if statement["Action"] == "rds-db:connect"
    ]
    backfill = [] if environment in JUST_ONE else ["logstats_writer"]
    assert len(connects) == len([*users, *backfill])
    assert all(sum(user in arn for arn in connects) == 1 + backfill.count(user) for user in users)
    assert "*" not in "".join(connects)


def test_the_servers_certificate_is_of_an_authority_that_functions_trust(environment: str) -> None:
    instance = only(environment, "AWS::RDS::DBInstance")["Properties"]
    assert instance["CACertificateIdentifier"] == "rds-ca-rsa2048-g1"
    assert b"Root CA RSA2048 G1" in RDS_CA_FILE.read_bytes()


def test_a_frozen_processors_connection_ends_in_seconds(environment: str) -> None:
    """But not that of an attempt, while it reads: tests/integration/processor/ledger/test_attempts.py."""
    properties = function(environment, "Processor")["Properties"]
    seconds = int(properties["Environment"]["Variables"]["DATABASE_IDLE_SESSION_TIMEOUT_SECONDS"])
    assert 5 <= seconds <= 30


def test_route_tables_lead_to_s3_only(environment: str) -> None:
    kinds = {resource["Type"] for resource in template(environment)["Resources"].values()}
    assert kinds.isdisjoint(
        {"AWS::EC2::Route", "AWS::EC2::InternetGateway", "AWS::EC2::NatGateway", "AWS::EC2::EIP"}
    )
    endpoints = [each["Properties"] for each in resources(environment, "AWS::EC2::VPCEndpoint").values()]
    (gateway,) = (each for each in endpoints if each["VpcEndpointType"] == "Gateway")
    assert gateway["ServiceName"]["Fn::Join"][1][-1] == ".s3"
    ours, *theirs = gateway["PolicyDocument"]["Statement"]
    assert ours["Condition"] == {"StringEquals": {"aws:ResourceAccount": {"Ref": "AWS::AccountId"}}}
    assert {(each["Action"], each["Resource"]["Fn::Join"][1][-1]) for each in theirs} == {
        ("s3:PutObject", ":s3:::cloudformation-custom-resource-response-*/*"),
        ("s3:GetObject", "-starport-layer-bucket/*"),
    }, "where a custom resource's response goes, and where a task's image comes from"
    assert len(gateway["RouteTableIds"]) == len(resources(environment, "AWS::EC2::RouteTable"))
    assert [each for each in endpoints if "RouteTableIds" in each] == [gateway]
    assert len(endpoints) == (1 if environment in JUST_ONE else 4)


def test_no_subnet_gives_public_addresses(environment: str) -> None:
    subnets = resources(environment, "AWS::EC2::Subnet").values()
    assert [subnet["Properties"]["MapPublicIpOnLaunch"] for subnet in subnets] == [False, False]
    zones = [json.dumps(subnet["Properties"]["AvailabilityZone"]) for subnet in subnets]
    assert len(set(zones)) == 2
    placed = only(environment, "AWS::RDS::DBSubnetGroup")["Properties"]["SubnetIds"]
    assert {subnet["Ref"] for subnet in placed} == set(resources(environment, "AWS::EC2::Subnet"))


def test_nobody_may_reach_in_from_or_out_to_everywhere(environment: str) -> None:
    for name, resource in template(environment)["Resources"].items():
        properties = resource.get("Properties", {})
        inwards = properties.get("SecurityGroupIngress", [])
        if resource["Type"] == "AWS::EC2::SecurityGroupIngress":
            inwards = [properties]
        assert not [rule for rule in inwards if "CidrIp" in rule or "CidrIpv6" in rule], name
    assert "0.0.0.0/0" not in json.dumps(template(environment))
    assert "::/0" not in json.dumps(template(environment))
    for name, group in resources(environment, "AWS::EC2::SecurityGroup").items():
        # Without a rule of its own, EC2 gives a group one that allows everything.
        assert group["Properties"]["SecurityGroupEgress"], name


def test_those_who_use_the_database_reach_it_and_s3_and_nothing_else(environment: str) -> None:
    groups = resources(environment, "AWS::EC2::SecurityGroup")
    (clients,) = (name for name in groups if "Clients" in name)
    (database,) = (name for name in groups if "Database5" in name)
    (to_s3,) = groups[clients]["Properties"]["SecurityGroupEgress"]
    assert set(to_s3) == {"Description", "DestinationPrefixListId", "FromPort", "IpProtocol", "ToPort"}
    (outwards,) = (
        rule["Properties"]
        for rule in resources(environment, "AWS::EC2::SecurityGroupEgress").values()
        if rule["Properties"]["GroupId"] == {"Fn::GetAtt": [clients, "GroupId"]}
    )
    (inwards,) = (
        rule["Properties"]
        for rule in resources(environment, "AWS::EC2::SecurityGroupIngress").values()
        if rule["Properties"]["GroupId"] == {"Fn::GetAtt": [database, "GroupId"]}
    )
    assert outwards["GroupId"] == inwards["SourceSecurityGroupId"] == {"Fn::GetAtt": [clients, "GroupId"]}
    assert (
        inwards["GroupId"] == outwards["DestinationSecurityGroupId"] == {"Fn::GetAtt": [database, "GroupId"]}
    )
    assert {inwards["FromPort"], inwards["ToPort"], outwards["FromPort"], outwards["ToPort"]} == {5432}
    (nowhere,) = groups[database]["Properties"]["SecurityGroupEgress"]
    assert nowhere["CidrIp"] == "255.255.255.255/32"


def test_what_the_network_refuses_is_logged(environment: str) -> None:
    flow_log = only(environment, "AWS::EC2::FlowLog")["Properties"]
    assert (flow_log["ResourceType"], flow_log["TrafficType"]) == ("VPC", "REJECT")


def test_only_the_function_that_creates_the_roles_may_be_the_master_user(environment: str) -> None:
    """And it has no way into the network: it uses the Data API."""
    properties = function(environment, "Roles")["Properties"]
    assert "VpcConfig" not in properties
    allowed = {
        name: as_list(statement["Action"])
        for name, statement in statements(environment)
        if {"rds-data:ExecuteStatement", "secretsmanager:GetSecretValue"} & set(as_list(statement["Action"]))
    }
    assert len(allowed) == 1
    assert "Roles" in next(iter(allowed))


def test_the_roles_are_there_before_the_migration_connects(environment: str) -> None:
    (writer,) = resources(environment, "AWS::RDS::DBInstance")
    assert writer in only(environment, "Custom::SchemaMigration")["DependsOn"]
    (roles,) = resources(environment, "Custom::DatabaseRoles")
    assert writer in only(environment, "Custom::DatabaseRoles")["DependsOn"]
    assert roles in only(environment, "Custom::SchemaMigration")["DependsOn"]


def test_no_policy_is_for_every_action_or_for_every_resource_but_those_listed(environment: str) -> None:
    for name, statement in statements(environment):
        if statement["Effect"] == "Allow":
            assert not [action for action in as_list(statement["Action"]) if "*" in action], name
        if statement["Effect"] == "Allow" and "*" in as_list(statement.get("Resource", [])):
            assert set(as_list(statement["Action"])) <= WILDCARD_RESOURCES, name


def test_no_policy_is_for_part_of_everything_but_objects_of_our_buckets(environment: str) -> None:
    """A star may be anywhere in a resource: `arn:aws:s3:::bucket/*`."""
    buckets = {
        key: word
        for key in resources(environment, "AWS::S3::Bucket")
        for word in WILDCARD_OBJECTS
        if word.title() in key
    }
    assert len(buckets) == 2
    for policy, statement in statements(environment):
        for resource in as_list(statement.get("Resource", [])):
            if statement["Effect"] != "Allow" or resource == "*" or "*" not in json.dumps(resource):
                continue
            bucket, rest = resource["Fn::Join"][1]
            assert rest == "/*", policy
            assert set(as_list(statement["Action"])) == WILDCARD_OBJECTS[buckets[bucket["Fn::GetAtt"][0]]], (
                policy
            )


def test_nobody_is_allowed_anything_by_everybody(environment: str) -> None:
    """Resource policies allow services of AWS, for resources of this account or stack; and nothing has a policy of AWS's."""
    for policy, statement in statements(environment):
        if "Principal" in statement and statement["Effect"] == "Allow":
            assert set(statement["Principal"]) == {"Service"}, policy
            source = statement["Condition"].get("ArnEquals", {}).get("aws:SourceArn", {})
            account = statement["Condition"].get("StringEquals", {}).get("aws:SourceAccount")
            assert account == {"Ref": "AWS::AccountId"} or "Fn::GetAtt" in source, policy
    for role, resource in resources(environment, "AWS::IAM::Role").items():
        assert not resource["Properties"].get("ManagedPolicyArns"), role
        (trust,) = resource["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert set(trust["Principal"]) == {"Service"}, role


def test_a_functions_code_may_not_do_what_lambda_does_for_it_with_network_interfaces(
    environment: str,
) -> None:
    roles = {name for name in resources(environment, "AWS::IAM::Policy") if "Role" in name}
    allowed, denied = (
        {
            name: {action for action in as_list(statement["Action"]) if action.startswith("ec2:")}
            for name, statement in statements(environment)
            if statement["Effect"] == effect and "ec2:CreateNetworkInterface" in as_list(statement["Action"])
        }
        for effect in ("Allow", "Deny")
    )
    assert len(allowed) == 3 + seals(environment)
    assert set(allowed) <= roles
    assert allowed == denied
    for _, statement in statements(environment):
        if statement["Effect"] == "Deny" and "ec2:CreateNetworkInterface" in as_list(statement["Action"]):
            assert statement["Condition"] == {"Null": {"lambda:SourceFunctionArn": "false"}}


def test_only_a_route_of_this_api_may_invoke_its_function(environment: str) -> None:
    permissions = [each["Properties"] for each in resources(environment, "AWS::Lambda::Permission").values()]
    (gateway,) = resources(environment, "AWS::ApiGatewayV2::Api")
    allowed = [each for each in permissions if each["Principal"] == "apigateway.amazonaws.com"]
    sources = {json.dumps(each["SourceArn"]) for each in allowed}
    assert len(sources) == len({*PROTECTED_ROUTES, *OPEN_ROUTES})
    assert all(f'{{"Ref": "{gateway}"}}' in source for source in sources)
    # An account's own services are told apart by their ARN, or at least by their account.
    assert all("SourceArn" in each or "SourceAccount" in each for each in permissions)


def test_no_secret_is_in_the_template_or_in_a_variable(environment: str) -> None:
    """RDS makes the master user's password and keeps it; everybody else has tokens."""
    text = json.dumps(template(environment))
    assert "{{resolve:" not in text
    assert "MasterUserPassword" not in text.replace("ManageMasterUserPassword", "")
    assert only(environment, "AWS::RDS::DBCluster")["Properties"]["ManageMasterUserPassword"] is True
    for properties in functions(environment):
        for variable, value in properties.get("Environment", {}).get("Variables", {}).items():
            assert not {"PASSWORD", "SECRET", "TOKEN"} & set(variable.split("_")), variable
            assert "MasterUserSecret" not in json.dumps(value), variable


def test_slow_statements_and_waits_for_locks_are_logged(environment: str) -> None:
    parameters = only(environment, "AWS::RDS::DBClusterParameterGroup")["Properties"]["Parameters"]
    assert 0 < int(parameters["log_min_duration_statement"]) <= 5000
    assert parameters["log_lock_waits"] == "1"
    assert parameters["log_statement"] == "ddl"


def test_no_values_are_logged_by_the_database(environment: str) -> None:
    """Only be there: tests/integration/test_database_log.py tests on PostgreSQL what they do."""
    parameters = only(environment, "AWS::RDS::DBClusterParameterGroup")["Properties"]["Parameters"]
    assert parameters["log_parameter_max_length"] == parameters["log_parameter_max_length_on_error"] == "0"
    assert parameters["log_error_verbosity"] == "terse"


def test_the_stack_is_refused_where_a_part_of_it_is_missing(environment: str) -> None:
    """New regions, whose root certificates are not in our file, and those without the Data API."""
    (assertion,) = next(
        rule for name, rule in template(environment)["Rules"].items() if name.startswith("Database")
    )["Assertions"]
    regions, region = assertion["Assert"]["Fn::Contains"]
    assert region == {"Ref": "AWS::Region"}
    assert {"us-east-1", "eu-west-1", "ap-southeast-1", "sa-east-1"} < set(regions)
    missing = {
        "il-central-1",
        "ca-west-1",
        "mx-central-1",
        "ap-southeast-5",
        "ap-southeast-7",
        "eu-central-2",
    }
    assert not missing & set(regions)
    trusted = RDS_CA_FILE.read_text()
    assert all(f"# Amazon RDS {each} Root CA RSA2048 G1" in trusted for each in regions)


def test_maintenance_and_backups_have_their_times(environment: str) -> None:
    cluster = only(environment, "AWS::RDS::DBCluster")["Properties"]
    assert cluster["PreferredMaintenanceWindow"] == "sun:03:00-sun:04:00"
    assert cluster["PreferredBackupWindow"] == "01:00-02:00"
    assert cluster["DeleteAutomatedBackups"] is (environment_of(environment) == "dev")


def test_backups_are_kept_as_the_parameters_say_and_the_database_pauses(environment: str) -> None:
    cluster = only(environment, "AWS::RDS::DBCluster")["Properties"]
    assert cluster["BackupRetentionPeriod"] == {"dev": 1, "prod": 35}[environment_of(environment)]
    scaling = cluster["ServerlessV2ScalingConfiguration"]
    assert (scaling["MinCapacity"], scaling["SecondsUntilAutoPause"]) == (0, 300)
    assert cluster["EngineVersion"].split(".")[0] == "18"
    assert cluster["CopyTagsToSnapshot"] is True


def test_the_bill_can_tell_the_stack_by_its_tags_and_prod_cannot_be_deleted_by_mistake(
    environment: str,
) -> None:
    manifest = json.loads((assembly(environment) / "manifest.json").read_text())
    stack = manifest["artifacts"][f"logstats-{environment_of(environment)}"]["properties"]
    assert stack.get("terminationProtection", False) is (environment_of(environment) == "prod")
    assert stack["tags"] == {"application": "logstats", "environment": environment_of(environment)}


def test_alarms_may_reach_the_topic_and_only_with_tls(environment: str) -> None:
    document = only(environment, "AWS::SNS::TopicPolicy")["Properties"]["PolicyDocument"]
    allowed = [statement for statement in document["Statement"] if statement["Effect"] == "Allow"]
    denied = [statement for statement in document["Statement"] if statement["Effect"] == "Deny"]
    assert [statement["Principal"] for statement in allowed] == [{"Service": "cloudwatch.amazonaws.com"}]
    assert allowed[0]["Condition"]["StringEquals"] == {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    assert [statement["Condition"] for statement in denied] == [{"Bool": {"aws:SecureTransport": "false"}}]


def test_logs_are_kept_for_a_stated_time(environment: str) -> None:
    for name, group in resources(environment, "AWS::Logs::LogGroup").items():
        assert group["Properties"]["RetentionInDays"] > 0, name
    for properties in functions(environment):
        assert "LogGroup" in properties["LoggingConfig"]


def test_the_database_writes_into_log_groups_that_are_there_before_it(environment: str) -> None:
    cluster = only(environment, "AWS::RDS::DBCluster")
    name = cluster["Properties"]["DBClusterIdentifier"]
    groups = {
        resource["Properties"].get("LogGroupName"): group
        for group, resource in resources(environment, "AWS::Logs::LogGroup").items()
    }
    logs = cluster["Properties"]["EnableCloudwatchLogsExports"]
    assert logs == ["postgresql", "iam-db-auth-error"]
    assert {groups[f"/aws/rds/cluster/{name}/{log}"] for log in logs} <= set(cluster["DependsOn"])


def test_the_api_authorises_every_route_but_those_of_the_page(environment: str) -> None:
    kinds = {
        route["Properties"]["RouteKey"]: route["Properties"]["AuthorizationType"]
        for route in resources(environment, "AWS::ApiGatewayV2::Route").values()
    }
    auth = parameters(environment).api.auth
    kind = {"iam": "AWS_IAM", "jwt": "JWT", "none": "NONE"}[auth]
    right = dict.fromkeys(PROTECTED_ROUTES, kind) | dict.fromkeys(OPEN_ROUTES, "NONE")
    assert kinds == {f"{method} {path}": each for path, each in right.items() for method in ("GET", "HEAD")}
    if auth == "jwt":
        authorizer = only(environment, "AWS::ApiGatewayV2::Authorizer")["Properties"]
        assert authorizer["JwtConfiguration"] == {"Audience": ["stats"], "Issuer": "https://id.example"}
        assert authorizer["IdentitySource"] == ["$request.header.Authorization"]
    assert function(environment, "Api")["Properties"]["Environment"]["Variables"]["API_AUTH"] == auth


def test_the_api_throttles_and_logs(environment: str) -> None:
    stage = only(environment, "AWS::ApiGatewayV2::Stage")["Properties"]
    api = parameters(environment).api
    assert stage["DefaultRouteSettings"]["ThrottlingRateLimit"] == api.throttle_rate
    assert stage["DefaultRouteSettings"]["ThrottlingBurstLimit"] == api.throttle_burst != api.throttle_rate
    assert stage["AccessLogSettings"]["DestinationArn"]
    (group,) = (
        group["Properties"]["LogGroupName"]
        for name, group in resources(environment, "AWS::Logs::LogGroup").items()
        if stage["AccessLogSettings"]["DestinationArn"] == {"Fn::GetAtt": [name, "Arn"]}
    )
    assert group.startswith("/aws/vendedlogs/"), "each other group makes the account's policy for logs longer"
    logged = set(json.loads(stage["AccessLogSettings"]["Format"]).values())
    assert {"$context.status", "$context.routeKey", "$context.requestId"} <= logged
    assert "$context.path" not in logged, "it holds a customer's id"
    function_ = function(environment, "Api")["Properties"]
    assert function_["Timeout"] < 30, "the gateway gives up then"
    assert 1 <= function_["ReservedConcurrentExecutions"] <= 100


def test_the_processor_is_an_image_and_the_others_are_zips_with_layers(environment: str) -> None:
    assert function(environment, "Processor")["Properties"]["PackageType"] == "Image"
    for word in ("Api", "Migration"):
        properties = function(environment, word)["Properties"]
        assert properties["Runtime"] == "python3.12"
        assert len(properties["Layers"]) == 2


def test_what_needs_the_schema_waits_for_its_migration(environment: str) -> None:
    (migration,) = resources(environment, "Custom::SchemaMigration")
    for word in ("Api", "Processor"):
        assert migration in function(environment, word)["DependsOn"]


@pytest.mark.parametrize(
    ("word", "kind"),
    [("MigrationFunction", "Custom::SchemaMigration"), ("RolesFunction", "Custom::DatabaseRoles")],
)
def test_a_deploys_function_gives_up_before_cloudformation_does(
    environment: str, word: str, kind: str
) -> None:
    timeout = function(environment, word)["Properties"]["Timeout"]
    assert int(only(environment, kind)["Properties"]["ServiceTimeout"]) > timeout


def test_the_gateway_invokes_what_starts_from_a_snapshot_where_there_is_one(environment: str) -> None:
    (name,) = (each for each in resources(environment, "AWS::Lambda::Function") if "ApiFunction" in each)
    target: dict[str, Any] = {"Fn::GetAtt": [name, "Arn"]}
    assert parameters(environment).api.snap_start is (environment_of(environment) == "prod")
    if parameters(environment).api.snap_start:
        assert function(environment, name)["Properties"]["SnapStart"] == {"ApplyOn": "PublishedVersions"}
        (version,) = resources(environment, "AWS::Lambda::Version")
        (alias,) = resources(environment, "AWS::Lambda::Alias")
        named = only(environment, "AWS::Lambda::Alias")["Properties"]
        assert named["FunctionVersion"] == {"Fn::GetAtt": [version, "Version"]}
        target = {"Ref": alias}
    else:
        assert "SnapStart" not in function(environment, name)["Properties"]
    for integration in resources(environment, "AWS::ApiGatewayV2::Integration").values():
        assert integration["Properties"]["IntegrationUri"] == target
        assert integration["Properties"]["PayloadFormatVersion"] == "2.0"
    for permission in resources(environment, "AWS::Lambda::Permission").values():
        if permission["Properties"]["Principal"] == "apigateway.amazonaws.com":
            assert permission["Properties"]["FunctionName"] == target


def test_the_stack_has_every_named_output(environment: str) -> None:
    others = {outputs.DATABASE_URL, outputs.PROCESSOR_ENDPOINT}
    named = {name for key, name in vars(outputs).items() if key.isupper()} - others
    backfill = () if environment not in JUST_ONE else (outputs.BACKFILL_COMMAND,)
    assert set(template(environment)["Outputs"]) == named - {
        outputs.REPORT_TOPIC,
        outputs.FIREHOSE_ROLE,
        *backfill,
    }


def test_data_outlives_the_prod_stack_and_not_that_of_dev(environment: str) -> None:
    policies = {bucket["DeletionPolicy"] for bucket in resources(environment, "AWS::S3::Bucket").values()}
    cluster = only(environment, "AWS::RDS::DBCluster")
    if environment_of(environment) == "prod":
        assert policies == {"RetainExceptOnCreate"}, "a first deployment that fails leaves none"
        assert cluster["DeletionPolicy"] == "Snapshot"
    else:
        assert policies == {"Delete"}
        assert cluster["DeletionPolicy"] == "Delete"


def test_the_database_is_protected_when_everything_else_is_there_and_not_before(environment: str) -> None:
    """A protected cluster cannot be deleted, so the rollback of a first deployment that fails later would get stuck."""
    cluster = only(environment, "AWS::RDS::DBCluster")["Properties"]
    assert "DeletionProtection" not in cluster, "CloudFormation would send it with every change"
    ((name, protection),) = resources(environment, "Custom::DeletionProtection").items()
    text = json.dumps(protection["Properties"]["Update"])
    protected = str(environment_of(environment) == "prod").lower()
    assert protection["Properties"]["Create"] == protection["Properties"]["Update"]
    assert "Delete" not in protection["Properties"]
    assert f'\\"DeletionProtection\\":{protected}' in text
    assert '"DBClusterResourceId"' in text, "a cluster that replaces this one is protected too"
    own = {key for key in template(environment)["Resources"] if key.startswith("DatabaseProtection")}
    provider = {
        key
        for key in template(environment)["Resources"]
        if key.startswith("AWS679f53fac002430cb0da5b7982bd2287")
    }
    waited_for = set(protection["DependsOn"])
    assert waited_for - own >= {*template(environment)["Resources"]} - own - provider, name
