"""A database that is restored, of another version or elsewhere: what changes in the template, and what does not."""

import copy
from pathlib import Path
from typing import Any

import pytest

from tests.infrastructure.templates import COMMITTED, load, only, synthesised_here, template

SNAPSHOT = "rds:logstats-prod-2024-10-03-01-07"


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The template of prod with another database."""
    environments = copy.deepcopy(COMMITTED["environments"])
    environments["prod"]["database"] |= {
        "snapshot_identifier": SNAPSHOT,
        "engine_version": "17.9",
        "zones": ["us-east-1b", "us-east-1d"],
    }
    folder: Path = tmp_path_factory.mktemp("changed")
    synthesised_here({"environment": "prod", "environments": environments}, folder)
    return load(folder / "logstats-prod.template.json")


def of(found: dict[str, Any], kind: str) -> dict[str, Any]:
    (resource,) = (each for each in found["Resources"].values() if each["Type"] == kind)
    properties: dict[str, Any] = resource["Properties"]
    return properties


def test_a_restored_database_is_a_new_cluster_from_the_snapshot(changed: dict[str, Any]) -> None:
    """CloudFormation replaces the cluster, which needs another name; the snapshot says who the master user is."""
    before, after = only("prod", "AWS::RDS::DBCluster")["Properties"], of(changed, "AWS::RDS::DBCluster")
    assert after["SnapshotIdentifier"] == SNAPSHOT
    assert after["DBClusterIdentifier"].startswith(f"{before['DBClusterIdentifier']}-")
    assert not {"MasterUsername", "DatabaseName"} & after.keys()
    different = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert different == {
        *("SnapshotIdentifier", "DBClusterIdentifier", "MasterUsername", "DatabaseName"),
        "EngineVersion",
    }
    clusters = [
        {name for name, each in found["Resources"].items() if each["Type"] == "AWS::RDS::DBCluster"}
        for found in (template("prod"), changed)
    ]
    assert clusters[0] == clusters[1], "the functions refer to the same resource"


def test_roles_and_schema_are_made_anew_on_another_database(changed: dict[str, Any]) -> None:
    """Both custom resources run again when a property changes: the replaced cluster has another ARN and another id."""
    (cluster,) = (
        name for name, each in changed["Resources"].items() if each["Type"] == "AWS::RDS::DBCluster"
    )
    assert of(changed, "Custom::SchemaMigration")["Database"] == {
        "Fn::GetAtt": [cluster, "DBClusterResourceId"]
    }
    assert cluster in str(of(changed, "Custom::DatabaseRoles")["Cluster"])


def test_the_logs_of_a_restored_database_have_groups_too(changed: dict[str, Any]) -> None:
    identifier = of(changed, "AWS::RDS::DBCluster")["DBClusterIdentifier"]
    groups = {
        each["Properties"].get("LogGroupName")
        for each in changed["Resources"].values()
        if each["Type"] == "AWS::Logs::LogGroup"
    }
    assert {f"/aws/rds/cluster/{identifier}/{log}" for log in ("postgresql", "iam-db-auth-error")} <= groups


def test_another_major_version_has_parameters_of_its_family(changed: dict[str, Any]) -> None:
    assert of(changed, "AWS::RDS::DBCluster")["EngineVersion"] == "17.9"
    assert of(changed, "AWS::RDS::DBClusterParameterGroup")["Family"] == "aurora-postgresql17"
    assert only("prod", "AWS::RDS::DBClusterParameterGroup")["Properties"]["Family"] == "aurora-postgresql18"


def test_the_network_is_in_the_zones_that_are_named(changed: dict[str, Any]) -> None:
    zones = {
        each["Properties"]["AvailabilityZone"]
        for each in changed["Resources"].values()
        if each["Type"] == "AWS::EC2::Subnet"
    }
    assert zones == {"us-east-1b", "us-east-1d"}
