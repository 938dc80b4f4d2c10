"""Log objects of a bucket that was there before the stack: heard through EventBridge, and left as it was."""

import os
import time
from queue import Queue
from typing import Any

import pytest

from cdk import outputs
from local.cloud.deployment import STACK, deploy
from local.cloud.emulator import Emulator
from local.cloud.endpoint import InvocationEndpoint
from local.cloud.runtime_api import Invocation, Result
from local.postgres import EmbeddedPostgres
from processor.announcements import announcements
from tests.infrastructure.templates import CHANGES, assembly

pytestmark = [pytest.mark.walkthroughs, pytest.mark.timeout(600)]

VARIANT = "local, existing bucket"
BUCKET = CHANGES[VARIANT]["logs_bucket"]


def test_its_objects_reach_the_processor_and_nothing_of_it_changes(
    lone_emulator: Emulator, server: EmbeddedPostgres
) -> None:
    s3, client = lone_emulator.client("s3"), lone_emulator.client("cloudformation")
    s3.create_bucket(Bucket=BUCKET)
    told: Any = {"EventBridgeConfiguration": {}}
    s3.put_bucket_notification_configuration(Bucket=BUCKET, NotificationConfiguration=told)
    url = server.create_database(f"existing_{os.getpid()}_{time.monotonic_ns()}")
    invocations: Queue[Invocation] = Queue()

    def invoke(invocation: Invocation) -> Result:
        invocations.put(invocation)
        return Result("response", {"batchItemFailures": []})

    with InvocationEndpoint(invoke) as endpoint:
        parameters = {outputs.DATABASE_URL: url, outputs.PROCESSOR_ENDPOINT: endpoint.url}
        deployed = deploy(lone_emulator, assembly(VARIANT), parameters)
        assert deployed[outputs.LOGS_BUCKET] == BUCKET
        s3.put_object(Bucket=BUCKET, Key="a b+c.log", Body=b"")
        event: Any = invocations.get(timeout=60).event
    (record,) = event["Records"]
    (announced,) = announcements(record["body"])
    assert (announced.kind, announced.bucket, announced.key) == ("ObjectCreated", BUCKET, "a b+c.log")

    client.delete_stack(StackName=STACK)
    client.get_waiter("stack_delete_complete").wait(StackName=STACK, WaiterConfig={"Delay": 1})
    assert s3.get_object(Bucket=BUCKET, Key="a b+c.log")["ContentLength"] == 0
    left = s3.get_bucket_notification_configuration(Bucket=BUCKET)
    assert {key: left[key] for key in left if key != "ResponseMetadata"} == told
    assert not s3.list_object_versions(Bucket=BUCKET).get("DeleteMarkers")
