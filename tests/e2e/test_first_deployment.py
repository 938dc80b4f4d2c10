"""A first deployment that fails half-way, of an environment that retains data: rolled back, repeated, destroyed, made again."""

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa
from botocore.exceptions import ClientError

from cdk import outputs
from cdk.first_deployment import permit_repetition, status
from local.cloud.deployment import STACK, DeploymentError, deploy
from local.cloud.emulator import Emulator
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from migrate import schema
from tests.infrastructure.templates import assembly
from tests.integration.local.cloud.inventory import added, inventory

pytestmark = [pytest.mark.walkthroughs, pytest.mark.timeout(600)]


@pytest.fixture
def database(server: EmbeddedPostgres) -> Iterator[tuple[str, sa.Engine]]:
    """A database in which the first migration fails."""
    name = f"first_{os.getpid()}_{time.monotonic_ns()}"
    url = server.create_database(name)
    engine = create_engine(server.settings(name))
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE TABLE daily_statistics (in_the_way int)"))
    yield url, engine
    engine.dispose()


def delete(client: Any) -> None:  # noqa: ANN401 - boto3's
    """As the CDK command line does before it begins again, and at `destroy`."""
    client.delete_stack(StackName=STACK)
    client.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})


def completed(client: Any) -> set[str]:  # noqa: ANN401 - boto3's
    pages = client.get_paginator("describe_stack_events").paginate(StackName=STACK)
    events = [event for page in pages for event in page["StackEvents"]]
    return {event["LogicalResourceId"] for event in events if event["ResourceStatus"] == "CREATE_COMPLETE"}


def test_a_first_deployment_that_fails_is_repeated_and_what_is_destroyed_is_made_again(
    lone_emulator: Emulator, database: tuple[str, sa.Engine]
) -> None:
    (url, engine), emulator = database, lone_emulator
    client, s3 = emulator.client("cloudformation"), emulator.client("s3")
    folder = assembly("local, kept")
    parameters = {outputs.DATABASE_URL: url, outputs.PROCESSOR_ENDPOINT: "http://127.0.0.1:9/"}
    before = inventory(emulator)
    with pytest.raises(DeploymentError, match=r"MigrationApplied.*already exists"):
        deploy(emulator, folder, parameters)
    client.update_termination_protection(StackName=STACK, EnableTerminationProtection=True)  # as the CDK does
    assert any(name.startswith("IngestRejects") for name in completed(client)), (
        "a bucket was made, to be retained"
    )
    assert status(client, STACK) == "ROLLBACK_COMPLETE"
    assert added(before, inventory(emulator)) == {}, "and is gone: its name is free"

    with pytest.raises(ClientError, match="TerminationProtection"):
        delete(client)
    assert permit_repetition(client, STACK)
    delete(client)
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE daily_statistics"))
    first = deploy(emulator, folder, parameters)
    assert first[outputs.SCHEMA_REVISION] == schema.head()

    assert not permit_repetition(client, STACK), "the protection of a stack that is complete stays"
    s3.put_object(Bucket=first[outputs.LOGS_BUCKET], Key="a.log", Body=b"kept")
    delete(client)
    buckets = {first[outputs.LOGS_BUCKET], first[outputs.REJECTS_BUCKET]}
    assert added(before, inventory(emulator)) == {"buckets": buckets}
    second = deploy(emulator, folder, parameters)
    assert second[outputs.LOGS_BUCKET] not in buckets
    assert s3.get_object(Bucket=first[outputs.LOGS_BUCKET], Key="a.log")["Body"].read() == b"kept"
