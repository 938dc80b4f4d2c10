"""What an emulated AWS has: everything that a stack of this project may make."""

from typing import Any

from local.cloud.emulator import Endpoint

Inventory = dict[str, set[str]]

BOOTSTRAP = {
    "buckets": {"cdk-hnb659fds-assets-000000000000-us-east-1"},
    "parameters": {"/cdk-bootstrap/hnb659fds/version"},
}
"""What `cdk bootstrap` makes once for all stacks of an account."""

_LISTS = {
    "roles": ("iam", "list_roles", "Roles", "RoleName"),
    "users": ("iam", "list_users", "Users", "UserName"),
    "functions": ("lambda", "list_functions", "Functions", "FunctionName"),
    "layers": ("lambda", "list_layers", "Layers", "LayerName"),
    "mappings": ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
    "buckets": ("s3", "list_buckets", "Buckets", "Name"),
    "log groups": ("logs", "describe_log_groups", "logGroups", "logGroupName"),
    "APIs": ("apigatewayv2", "get_apis", "Items", "ApiId"),
    "parameters": ("ssm", "describe_parameters", "Parameters", "Name"),
    "alarms": ("cloudwatch", "describe_alarms", "MetricAlarms", "AlarmName"),
    "dashboards": ("cloudwatch", "list_dashboards", "DashboardEntries", "DashboardName"),
    "topics": ("sns", "list_topics", "Topics", "TopicArn"),
    "secrets": ("secretsmanager", "list_secrets", "SecretList", "Name"),
    "keys": ("kms", "list_keys", "Keys", "KeyId"),
    "rules": ("events", "list_rules", "Rules", "Name"),
    "clusters": ("rds", "describe_db_clusters", "DBClusters", "DBClusterIdentifier"),
    "groups": ("ec2", "describe_security_groups", "SecurityGroups", "GroupId"),
    "networks": ("ec2", "describe_vpcs", "Vpcs", "VpcId"),
}


def inventory(emulator: Endpoint) -> Inventory:
    found = {
        name: {str(each[key]) for each in _all(emulator.client(service), operation, member)}
        for name, (service, operation, member, key) in _LISTS.items()
    }
    found["queues"] = set(emulator.client("sqs").list_queues().get("QueueUrls", []))
    found["policies"] = {
        str(each["PolicyName"])
        for each in _all(emulator.client("iam"), "list_policies", "Policies", Scope="Local")
    }
    return found


def added(before: Inventory, after: Inventory) -> Inventory:
    """What there is now and was not before, but for `BOOTSTRAP`; kinds without anything new are left out."""
    return {
        kind: new
        for kind, found in after.items()
        if (new := found - before[kind] - BOOTSTRAP.get(kind, set()))
    }


def _all(client: Any, operation: str, member: str, **arguments: str) -> list[Any]:  # noqa: ANN401 - boto3's
    if client.can_paginate(operation):
        pages = client.get_paginator(operation).paginate(**arguments)
        return [each for page in pages for each in page.get(member, [])]
    return list(getattr(client, operation)(**arguments).get(member, []))
