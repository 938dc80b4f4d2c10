"""Deployments on the emulator: the real template, and small ones that fail."""

import json
import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from cdk import outputs
from local.cloud import emulator as emulator_
from local.cloud.deployment import Deployer, DeploymentError
from local.cloud.emulator import Emulator
from local.cloud.synthesis import cloud_assembly
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from migrate import schema
from tests.integration.local.cloud.conftest import free_port

STACK = "logstats-local"


@pytest.fixture
def database(server: EmbeddedPostgres) -> Iterator[tuple[str, sa.Engine]]:
    """An empty database, without a schema."""
    name = f"deployed_{os.getpid()}_{time.monotonic_ns()}"
    url = server.create_database(name)
    engine = create_engine(server.settings(name))
    yield url, engine
    engine.dispose()


def parameters(url: str) -> dict[str, str]:
    return {outputs.DATABASE_URL: url, outputs.PROCESSOR_ENDPOINT: "http://127.0.0.1:9/"}


def assembly(folder: Path, template: dict[str, Any], stack: str) -> Path:
    """A cloud assembly of a template without assets."""
    folder.mkdir(parents=True, exist_ok=True)
    name = f"{stack}.template.json"
    (folder / name).write_text(json.dumps(template))
    destination = {
        "bucketName": "cdk-hnb659fds-assets-${AWS::AccountId}-${AWS::Region}",
        "objectKey": f"{stack}-{time.monotonic_ns()}.json",
    }
    asset = {"source": {"path": name, "packaging": "file"}, "destinations": {"here": destination}}
    (folder / f"{stack}.assets.json").write_text(json.dumps({"files": {"template": asset}}))
    return folder


def queue(name: str, **properties: Any) -> dict[str, Any]:  # noqa: ANN401 - CloudFormation's
    return {"Resources": {name: {"Type": "AWS::SQS::Queue", "Properties": properties}}}


def test_the_stack_migrates_the_database_deploys_again_and_leaves_nothing(
    emulator: Emulator, database: tuple[str, sa.Engine]
) -> None:
    url, engine = database
    deployer = Deployer(emulator)
    deployed = deployer.deploy(cloud_assembly(), parameters(url))
    assert deployed[outputs.SCHEMA_REVISION] == schema.head() == schema.current(engine)
    assert deployer.deploy(cloud_assembly(), parameters(url)) == deployed
    deployer.destroy()
    assert emulator.client("lambda").list_functions()["Functions"] == []
    assert emulator.client("sqs").list_queues().get("QueueUrls", []) == []
    buckets = {bucket["Name"] for bucket in emulator.client("s3").list_buckets()["Buckets"]}
    assert buckets.isdisjoint({deployed[outputs.LOGS_BUCKET], deployed[outputs.REJECTS_BUCKET]})
    assert schema.current(engine) == schema.head()  # the data stays


def test_a_failing_migration_rolls_back_and_says_why(emulator: Emulator, tmp_path: Path) -> None:
    nowhere = "postgresql://postgres@/logstats?host=/does/not/exist"
    with pytest.raises(DeploymentError, match=r"The schema migration has failed: .*/does/not/exist"):
        Deployer(emulator).deploy(cloud_assembly(), parameters(nowhere))
    assert emulator.client("lambda").list_functions()["Functions"] == []
    emulator.client("cloudformation").delete_stack(StackName=STACK)


def test_a_migration_function_that_cannot_start_fails_at_once(emulator: Emulator, tmp_path: Path) -> None:
    """Without its third-party packages; CloudFormation itself would wait for the service timeout."""
    broken = tmp_path / "broken"
    shutil.copytree(cloud_assembly(), broken)
    path = broken / f"{STACK}.template.json"
    template = json.loads(path.read_text())
    for name, resource in template["Resources"].items():
        if name.startswith("MigrationFunction") and resource["Type"] == "AWS::Lambda::Function":
            resource["Properties"]["Layers"] = resource["Properties"]["Layers"][:1]
    path.write_text(json.dumps(template))
    manifest = json.loads((broken / f"{STACK}.assets.json").read_text())
    for asset in manifest["files"].values():
        if asset["source"]["path"].endswith(".template.json"):
            for destination in asset["destinations"].values():
                destination["objectKey"] = "broken.json"
    (broken / f"{STACK}.assets.json").write_text(json.dumps(manifest))
    with pytest.raises(DeploymentError, match=r"MigrationApplied.*No module named"):
        Deployer(emulator, timeout_seconds=60).deploy(broken, parameters("postgresql://postgres@/x?host=/x"))
    emulator.client("cloudformation").delete_stack(StackName=STACK)


def test_a_change_is_deployed_as_an_update(emulator: Emulator, tmp_path: Path) -> None:
    deployer = Deployer(emulator)
    deployer.deploy(
        assembly(tmp_path, queue("Q", QueueName="changed", VisibilityTimeout=30), "change"), {}, "change"
    )
    deployer.deploy(
        assembly(tmp_path, queue("Q", QueueName="changed", VisibilityTimeout=60), "change"), {}, "change"
    )
    sqs = emulator.client("sqs")
    url = sqs.get_queue_url(QueueName="changed")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert attributes["VisibilityTimeout"] == "60"
    deployer.destroy("change")


def test_a_refused_template_is_one_clear_error(emulator: Emulator, tmp_path: Path) -> None:
    unset = {"Parameters": {"Name": {"Type": "String"}}, **queue("Q", QueueName={"Ref": "Name"})}
    with pytest.raises(DeploymentError, match=r"The deployment is refused: .*Name"):
        Deployer(emulator).deploy(assembly(tmp_path, unset, "refused"), {}, "refused")


def test_an_unknown_resource_is_named(emulator: Emulator, tmp_path: Path) -> None:
    unknown = {"Resources": {"X": {"Type": "AWS::No::Such", "Properties": {}}}}
    with pytest.raises(DeploymentError, match=r"refused: .*AWS::No::Such"):
        Deployer(emulator).deploy(assembly(tmp_path, unknown, "unknown"), {}, "unknown")


def bucket(name: str) -> dict[str, Any]:
    return {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}}}


def test_a_bucket_of_this_run_is_a_conflict(emulator: Emulator, tmp_path: Path) -> None:
    emulator.client("s3").create_bucket(Bucket="taken")
    with pytest.raises(DeploymentError, match="'taken' already exists"):
        Deployer(emulator).deploy(assembly(tmp_path, bucket("taken"), "conflict"), {}, "conflict")


def test_a_bucket_left_by_an_earlier_run_is_taken_over(emulator_folder: Path, tmp_path: Path) -> None:
    folder, port = emulator_folder / "takeover", free_port()
    with emulator_.running(folder, port, folder / "logs") as started:
        started.wait_until_healthy()
        s3 = started.client("s3")
        s3.create_bucket(Bucket="left")
        s3.put_object(Bucket="left", Key="a.log", Body=b"kept")
    with emulator_.running(folder, port, folder / "logs") as started:
        started.wait_until_healthy()
        Deployer(started).deploy(assembly(tmp_path / "1", bucket("left"), "one"), {}, "one")
        assert started.client("s3").get_object(Bucket="left", Key="a.log")["Body"].read() == b"kept"
        with pytest.raises(DeploymentError, match="'left' already exists"):
            Deployer(started).deploy(assembly(tmp_path / "2", bucket("left"), "other"), {}, "other")
