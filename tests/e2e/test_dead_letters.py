"""A message that always fails, on the local cloud: out of the way, and brought back when its cause is gone."""

import json
import subprocess
import sys

import pytest

from cdk import outputs
from cdk.ingest import MAX_RECEIVES
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
    enforced.cloud.processor.failures.clear()

    sqs.set_queue_attributes(QueueUrl=queue, Attributes=kept)
    assert redrive(enforced) == 1
    row = enforced.settled("poison.log", poison)
    assert (row.outcome, row.lines, row.rejected) == ("ingested", 21, 1)
    assert depth(enforced, outputs.DEAD_LETTER_QUEUE_URL) == 0
    assert redrive(enforced) == 0


def test_without_a_local_cloud_it_says_so(tmp_path: str) -> None:
    command = [sys.executable, "-c", CODE, "redrive", "--state", str(tmp_path)]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert result.stderr == (
        f"logstats: No local cloud runs in {tmp_path}; for a stack on AWS, name it with --stack\n"
    )
