"""A message that always fails, on the local cloud: out of the way, and brought back when its cause is gone."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa
from sqlalchemy.orm import Session

from cdk import outputs
from cdk.ingest import MAX_RECEIVES
from local.cloud.uploads import failed_keys
from logstats.models import LogObject
from tests.e2e.enforced import BrokenError, Enforced, eventually
from tests.logs import as_bytes, random_lines

CODE = "from local.cli import main; main()"
LINES = random_lines(5, 20)


def depth(enforced: Enforced, name: str) -> int:
    """How many messages a queue has, received or not."""
    attributes = enforced.client("sqs").get_queue_attributes(
        QueueUrl=enforced.cloud.outputs[name], AttributeNames=["All"]
    )["Attributes"]
    return sum(int(attributes[f"ApproximateNumberOfMessages{kind}"]) for kind in ("", "NotVisible"))


def redrive(enforced: Enforced) -> int:
    command = [sys.executable, "-c", CODE, "redrive", "--state", str(enforced.state), "--json"]
    result = subprocess.run(command, capture_output=True, text=True, check=True)
    assert result.stderr == ""
    moved: int = json.loads(result.stdout)["moved"]
    return moved


def test_a_poison_message_does_not_block_others_and_comes_back(enforced: Enforced) -> None:
    """The cause: the processor may not store rejected lines. Half an hour between receipts becomes a second."""
    sqs, queue = enforced.client("sqs"), enforced.cloud.outputs[outputs.QUEUE_URL]
    kept = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "1"})
    others = depth(enforced, outputs.QUEUE_URL)  # left by other tests; they may end meanwhile
    policy = enforced.policy("Processor")
    (statement,) = (each for each in policy.statements if "s3:PutObject" in each["Action"])
    with policy.without(statement):
        poison = enforced.put("poison.log", as_bytes([*LINES, "broken"]))
        with pytest.raises(BrokenError, match="not authorized to perform: s3:PutObject"):
            enforced.settled("poison.log", poison)
        for number in range(3):
            good = enforced.put(f"good {number}.log", as_bytes(LINES))
            enforced.settled(f"good {number}.log", good)
        assert eventually(lambda: depth(enforced, outputs.DEAD_LETTER_QUEUE_URL) == 1, 20)
        assert eventually(lambda: depth(enforced, outputs.QUEUE_URL) <= others, 20)
    failed = [each for each in enforced.cloud.processor.failures if "poison.log" in str(each.event)]
    assert len(failed) == MAX_RECEIVES
    enforced.forget_failures()

    sqs.set_queue_attributes(QueueUrl=queue, Attributes=kept)
    assert redrive(enforced) == 1
    row = enforced.settled("poison.log", poison)
    assert (row.outcome, row.lines, row.rejected) == ("ingested", 21, 1)
    assert depth(enforced, outputs.DEAD_LETTER_QUEUE_URL) == 0
    assert redrive(enforced) == 0


def test_a_message_that_another_delivery_does_not_help_is_a_dead_letter_at_once(enforced: Enforced) -> None:
    """The cause: the processor may not read log objects. Between receipts is half an hour, as on AWS."""
    policy = enforced.policy("Processor")
    (statement,) = (each for each in policy.statements if "s3:GetObjectVersion" in each["Action"])
    with policy.without(statement):
        version = enforced.put("refused.log", as_bytes(LINES))
        for _ in range(2):
            with pytest.raises(BrokenError, match="Forbidden"):
                enforced.settled("refused.log", version)
            assert eventually(lambda: depth(enforced, outputs.DEAD_LETTER_QUEUE_URL) == 1, 5)
            enforced.forget_failures()
            assert redrive(enforced) == 1
        with pytest.raises(BrokenError, match="Forbidden"):
            enforced.settled("refused.log", version)
        assert eventually(lambda: depth(enforced, outputs.DEAD_LETTER_QUEUE_URL) == 1, 5)
    enforced.forget_failures()
    assert redrive(enforced) == 1
    row = enforced.settled("refused.log", version)
    assert (row.outcome, row.lines) == ("ingested", len(LINES))
    assert depth(enforced, outputs.DEAD_LETTER_QUEUE_URL) == 0


@contextmanager
def batches(enforced: Enforced, size: int) -> Iterator[None]:
    """The event source hands over so many messages at a time, and those only that come within."""
    functions = enforced.client("lambda")
    (mapping,) = functions.list_event_source_mappings()["EventSourceMappings"]

    def change(**options: object) -> None:
        functions.update_event_source_mapping(UUID=mapping["UUID"], **options)

    change(Enabled=False, BatchSize=size)
    time.sleep(2)  # a poll that has begun ends
    try:
        yield
        change(Enabled=True)
    finally:
        change(Enabled=True)


def test_a_poison_message_does_not_block_others_in_its_batch(enforced: Enforced) -> None:
    """The template's batches have one message; were they larger, only the failed one would come again.

    It comes twice, five seconds apart: time enough for a batch on a busy machine.
    """
    sqs, queue = enforced.client("sqs"), enforced.cloud.outputs[outputs.QUEUE_URL]
    names = ["VisibilityTimeout", "RedrivePolicy"]
    kept = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=names)["Attributes"]
    twice = json.dumps(json.loads(kept["RedrivePolicy"]) | {"maxReceiveCount": 2})
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "5", "RedrivePolicy": twice})
    enforced.forget_failures()
    policy = enforced.policy("Processor")
    (statement,) = (each for each in policy.statements if "s3:PutObject" in each["Action"])
    keys = ["first.log", "second.log", "third.log"]
    with policy.without(statement):
        with batches(enforced, 10):
            good = {key: enforced.put(key, as_bytes(LINES)) for key in keys[:1]}
            poison = enforced.put("batch poison.log", as_bytes([*LINES, "broken"]))
            good |= {key: enforced.put(key, as_bytes(LINES)) for key in keys[1:]}
        for key, version in good.items():
            assert settled_in_batch(enforced, key, version)
        assert eventually(lambda: depth(enforced, outputs.DEAD_LETTER_QUEUE_URL) == 1, 30)
    failed = [failed_keys(each.event) for each in enforced.cloud.processor.failures]
    assert failed, "it came again"
    assert all(keys == ["batch poison.log"] for keys in failed), "the others did not"
    enforced.forget_failures()

    sqs.set_queue_attributes(QueueUrl=queue, Attributes=kept)
    with batches(enforced, 1):
        pass
    assert redrive(enforced) == 1
    row = enforced.settled("batch poison.log", poison)
    assert (row.outcome, row.lines, row.rejected) == ("ingested", 21, 1)
    assert depth(enforced, outputs.DEAD_LETTER_QUEUE_URL) == 0


def settled_in_batch(enforced: Enforced, key: str, version: str) -> bool:
    with Session(enforced.cloud.engine) as session:
        wanted = sa.select(LogObject).where(LogObject.key == key, LogObject.version == version)

        def there() -> bool:
            session.rollback()
            return session.scalar(wanted) is not None

        return bool(eventually(there, 20))


def test_without_a_local_cloud_it_says_so(tmp_path: str) -> None:
    command = [sys.executable, "-c", CODE, "redrive", "--state", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == (
        f"logstats: No local cloud runs in {tmp_path}; for a stack on AWS, name it with --stack\n"
    )
