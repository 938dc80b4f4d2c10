"""Deployments on the emulator: the real template, and small ones that fail."""

import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from botocore.exceptions import WaiterError

from cdk import ROOT, outputs
from local.cloud import emulator as emulator_
from local.cloud.deployment import DeploymentError, deploy
from local.cloud.emulator import Emulator
from local.cloud.synthesis import cloud_assembly
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from migrate import schema
from tests import walkthrough
from tests.integration.local.cloud.assemblies import changed
from tests.integration.local.cloud.conftest import free_port
from tests.integration.local.cloud.inventory import added, inventory
from tests.tables import schema_revision

STACK = "logstats-local"


@pytest.fixture
def database(server: EmbeddedPostgres) -> Iterator[tuple[str, sa.Engine]]:
    """An empty database, without a schema."""
    name = f"deployed_{os.getpid()}_{time.monotonic_ns()}"
    url = server.create_database(name)
    engine = create_engine(server.settings(name))
    yield url, engine
    engine.dispose()


def destroy(emulator: Emulator) -> None:
    client = emulator.client("cloudformation")
    client.delete_stack(StackName=STACK)
    client.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})


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


def empty(emulator: Emulator, bucket: str) -> None:
    """Delete every version of every object, and every delete marker: the command that the page shows."""
    command = walkthrough.shown("docs/deploy.md", "empty() {")
    keys = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}  # pragma: allowlist secret
    where = {"AWS_ENDPOINT_URL": emulator.endpoint, "AWS_DEFAULT_REGION": "us-east-1"}
    subprocess.run(
        ["bash", "-c", f"{command}empty {bucket}"],
        cwd=ROOT,
        env={"PATH": os.environ["PATH"], **keys, **where},
        check=True,
    )


def test_the_command_of_the_page_empties_a_versioned_bucket(emulator: Emulator) -> None:
    command = walkthrough.shown("docs/deploy.md", "empty() {")
    assert command.count("\n") == 1
    s3 = emulator.client("s3")
    s3.create_bucket(Bucket="versioned")
    s3.put_bucket_versioning(Bucket="versioned", VersioningConfiguration={"Status": "Enabled"})
    for body in (b"1", b"2"):
        s3.put_object(Bucket="versioned", Key="a.log", Body=body)
    s3.delete_object(Bucket="versioned", Key="a.log")
    empty(emulator, "versioned")
    left = s3.list_object_versions(Bucket="versioned")
    assert not [*left.get("Versions", []), *left.get("DeleteMarkers", [])]
    s3.delete_bucket(Bucket="versioned")


def test_deploy_change_deploy_destroy_leave_nothing_but_the_data(
    emulator: Emulator, emulator_folder: Path, database: tuple[str, sa.Engine], tmp_path: Path
) -> None:
    url, engine = database
    before = inventory(emulator)
    deployed = deploy(emulator, cloud_assembly(), parameters(url))
    assert deployed[outputs.SCHEMA_REVISION] == schema.head() == schema_revision(engine)
    first = inventory(emulator)
    assert deploy(emulator, cloud_assembly(), parameters(url)) == deployed
    assert inventory(emulator) == first

    update = changed(cloud_assembly(), tmp_path / "update")
    update.change("ApiFunction", "AWS::Lambda::Function", MemorySize=512)
    update.add("api/handler.py", "api/new.py", "")
    assert deploy(emulator, update.write(), parameters(url)) == deployed
    assert function(emulator, "ApiFunction")["MemorySize"] == 512
    assert deploy(emulator, cloud_assembly(), parameters(url)) == deployed
    assert function(emulator, "ApiFunction")["MemorySize"] != 512
    assert inventory(emulator) == first

    group = function(emulator, "ApiFunction")["LoggingConfig"]["LogGroup"]
    emulator.client("logs").delete_log_group(logGroupName=group)
    emulator.client("lambda").invoke(FunctionName=function(emulator, "ApiFunction")["FunctionName"])
    assert added(inventory(emulator), first) == {"log groups": {group}}, "a late line makes no group again"

    logs, rejects = deployed[outputs.LOGS_BUCKET], deployed[outputs.REJECTS_BUCKET]
    emulator.client("s3").put_object(Bucket=logs, Key="a.log", Body=b"")
    with pytest.raises(WaiterError, match="DELETE_FAILED"):
        destroy(emulator)
    events = emulator.client("cloudformation").describe_stack_events(StackName=STACK)["StackEvents"]
    reasons = {each.get("ResourceStatusReason", ""): each["LogicalResourceId"] for each in events}
    assert reasons["The bucket you tried to delete is not empty"].startswith("IngestLogs")
    empty(emulator, logs)
    destroy(emulator)
    assert added(before, inventory(emulator)) == {}
    folders = {path.name for path in (emulator_folder / "s3").rglob("*") if path.is_dir()}
    assert folders.isdisjoint({logs, rejects})
    assert schema_revision(engine) == schema.head()  # the database is not the stack's


def function(emulator: Emulator, word: str) -> dict[str, Any]:
    functions = emulator.client("lambda").list_functions()["Functions"]
    (found,) = (each for each in functions if word in each["FunctionName"])
    return dict(found)


def test_a_failing_migration_rolls_back_and_says_why(
    emulator: Emulator, database: tuple[str, sa.Engine]
) -> None:
    url, engine = database
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE daily_statistics (in_the_way int)"))
    before = inventory(emulator)
    reason = r'MigrationApplied\w*: The schema migration has failed: .*"daily_statistics" already exists'
    with pytest.raises(DeploymentError, match=reason):
        deploy(emulator, cloud_assembly(), parameters(url))
    assert added(before, inventory(emulator)) == {}
    assert sa.inspect(engine).get_table_names() == ["daily_statistics"], "nothing is half done"
    emulator.client("cloudformation").delete_stack(StackName=STACK)


BROKEN_MIGRATION = """
from alembic import op
revision, down_revision = "9999", "{head}"
def upgrade():
    op.execute("CREATE TABLE half_done (x int)")
    op.execute("SELECT 1 / 0")
"""


def test_an_update_whose_migration_fails_leaves_the_old_version_serving(
    emulator: Emulator, database: tuple[str, sa.Engine], tmp_path: Path
) -> None:
    url, engine = database
    deployed = deploy(emulator, cloud_assembly(), parameters(url))
    serving = {word: function(emulator, word)["CodeSha256"] for word in ("ApiFunction", "MigrationFunction")}
    update = changed(cloud_assembly(), tmp_path / "update")
    broken = BROKEN_MIGRATION.format(head=schema.head())
    update.add("migrate/handler.py", "migrate/versions/9999_broken.py", broken)
    update.add("api/handler.py", "api/new.py", "")
    update.change("MigrationApplied", "Custom::SchemaMigration", Migrations="others")
    with pytest.raises(DeploymentError, match=r"MigrationApplied\w*: .*division by zero"):
        deploy(emulator, update.write(), parameters(url))
    assert {word: function(emulator, word)["CodeSha256"] for word in serving} == serving
    assert schema_revision(engine) == schema.head()
    assert "half_done" not in sa.inspect(engine).get_table_names()
    assert deploy(emulator, cloud_assembly(), parameters(url)) == deployed
    destroy(emulator)


def test_a_migration_function_that_cannot_start_fails_at_once(emulator: Emulator, tmp_path: Path) -> None:
    """Without its third-party packages; CloudFormation itself would wait for the service timeout."""
    broken = changed(cloud_assembly(), tmp_path / "broken")
    layers = broken.resource("MigrationFunction", "AWS::Lambda::Function")["Layers"]
    broken.change("MigrationFunction", "AWS::Lambda::Function", Layers=layers[:1])
    with pytest.raises(DeploymentError, match=r"MigrationApplied.*No module named"):
        deploy(emulator, broken.write(), parameters("postgresql://postgres@/x?host=/x"))
    emulator.client("cloudformation").delete_stack(StackName=STACK)


@pytest.mark.parametrize(
    ("template", "reason"),
    [
        ({"Parameters": {"Name": {"Type": "String"}}, **queue("Q", QueueName={"Ref": "Name"})}, "Name"),
        ({"Resources": {"X": {"Type": "AWS::No::Such", "Properties": {}}}}, "AWS::No::Such"),
    ],
)
def test_a_refused_template_is_one_clear_error(
    emulator: Emulator, tmp_path: Path, template: dict[str, Any], reason: str
) -> None:
    with pytest.raises(DeploymentError, match=f"The deployment is refused: .*{reason}"):
        deploy(emulator, assembly(tmp_path, template, "refused"), {}, "refused")


def bucket(name: str) -> dict[str, Any]:
    return {"Resources": {"B": {"Type": "AWS::S3::Bucket", "Properties": {"BucketName": name}}}}


def test_a_bucket_of_this_run_is_a_conflict(emulator: Emulator, tmp_path: Path) -> None:
    emulator.client("s3").create_bucket(Bucket="taken")
    with pytest.raises(DeploymentError, match="'taken' already exists"):
        deploy(emulator, assembly(tmp_path, bucket("taken"), "conflict"), {}, "conflict")


def test_a_bucket_left_by_an_earlier_run_is_taken_over(emulator_folder: Path, tmp_path: Path) -> None:
    folder, port = emulator_folder / "takeover", free_port()
    with emulator_.running(folder, port, folder / "logs") as started:
        started.wait_until_healthy()
        s3 = started.client("s3")
        s3.create_bucket(Bucket="left")
        s3.put_object(Bucket="left", Key="a.log", Body=b"kept")
    with emulator_.running(folder, port, folder / "logs") as started:
        started.wait_until_healthy()
        deploy(started, assembly(tmp_path / "1", bucket("left"), "one"), {}, "one")
        assert started.client("s3").get_object(Bucket="left", Key="a.log")["Body"].read() == b"kept"
        with pytest.raises(DeploymentError, match="'left' already exists"):
            deploy(started, assembly(tmp_path / "2", bucket("left"), "other"), {}, "other")
