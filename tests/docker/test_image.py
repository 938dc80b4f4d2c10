"""The processor's image, run as Lambda would run it."""

import json
import time

import pytest
import sqlalchemy as sa

from local.cloud.runtime_api import Invocation
from tests import oracle, tables
from tests.docker.containers import DockerError, docker, lambda_container
from tests.events import created, sqs_event
from tests.logs import as_bytes, random_lines
from tests.s3_double import S3Double

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

BUCKET = "request-logs"
A, B = random_lines(1, 600), random_lines(2, 500)


def test_objects_are_ingested(image: str, s3: S3Double, variables: dict[str, str], engine: sa.Engine) -> None:
    """Rejected lines too; and a second invocation in the same environment."""
    with lambda_container(image, variables) as processor:
        for key, lines in (("a.log", A), ("b.log", B)):
            version = s3.put(BUCKET, key, as_bytes(lines) + b"broken\n")
            result = processor.invoke(sqs_event(created(BUCKET, key, version.version_id, "01")))
            assert (result.kind, result.payload) == ("response", {"batchItemFailures": []})
    assert tables.statistics(engine) == oracle.statistics([*A, *B])
    assert len(s3.objects) == 4


def test_a_killed_environment_leaves_nothing_and_the_next_one_succeeds(
    image: str, s3: S3Double, variables: dict[str, str], engine: sa.Engine
) -> None:
    stalled = s3.put(BUCKET, "a.log", as_bytes(A), stalled=True)
    event = sqs_event(created(BUCKET, "a.log", stalled.version_id, "01"))
    with lambda_container(image, variables) as processor:
        end = time.monotonic() + 5
        result = processor.api.invoke(Invocation(event, time.time() + 300), lambda: time.monotonic() < end)
        assert result.kind == "exit"
        processor.kill()
    assert tables.statistics(engine) == {}
    s3.objects.clear()
    s3.put(BUCKET, "a.log", as_bytes(A))
    with lambda_container(image, variables) as processor:
        assert processor.invoke(event).payload == {"batchItemFailures": []}
    assert tables.statistics(engine) == oracle.statistics(A)
    assert set(tables.leftovers(engine).values()) == {0}


def test_a_log_ten_times_larger_than_the_memory(
    image: str, s3: S3Double, variables: dict[str, str], engine: sa.Engine
) -> None:
    memory_mib = 512  # 50 customers in random order with their breakdowns take some 250
    lines = random_lines(3, 20_000, customers=50, days=30)
    repeats = -(-10 * memory_mib * 2**20 // len(as_bytes(lines)))
    version = s3.put(BUCKET, "large.log", as_bytes(lines), repeats)
    assert version.size >= 10 * memory_mib * 2**20
    with lambda_container(image, variables, memory_mib) as processor:
        event = sqs_event(created(BUCKET, "large.log", version.version_id, "01"))
        result = processor.invoke(event, timeout=300)
        assert result.payload == {"batchItemFailures": []}
    assert tables.statistics(engine) == oracle.repeated(lines, repeats)


def test_trap_12_the_container_has_lambdas_limits(image: str, variables: dict[str, str]) -> None:
    with lambda_container(image, variables) as processor:
        assert processor.run("python3", "-c", "import os; print(os.getuid(), os.getgid())") == "993 990\n"
        for attempt in ("open('/var/task/x', 'w')", "import multiprocessing; multiprocessing.Lock()"):
            with pytest.raises(DockerError):
                processor.run("python3", "-c", attempt)


def test_the_image_holds_what_runs_and_nothing_else_and_runs_as_an_unprivileged_user(image: str) -> None:
    program = """
import json, pathlib
files = [path for root in ("/var/task", "/opt/python") for path in pathlib.Path(root).rglob("*") if path.is_file()]
sources = {str(path) for path in files if path.suffix == ".py"}
compiled = {str(path.parent.parent / path.name.split(".")[0]) + ".py" for path in files if path.suffix == ".pyc"}
print(json.dumps({
    "task": sorted(path.name for path in pathlib.Path("/var/task").iterdir()),
    "suffixes": sorted({path.suffix for path in files}),
    "tests": [str(path) for path in files if {"test", "tests", "ziglang"} & set(path.parts)],
    "not compiled": sorted(sources - compiled),
    "unreadable": [str(path) for path in files if path.stat().st_mode & 0o444 != 0o444],
    "authorities": pathlib.Path("/var/task/logstats/rds-ca.pem").is_file(),
    "presets": pathlib.Path("/var/task/logstats/formats/logstats.toml").is_file(),
    "caches": [str(path) for path in pathlib.Path("/").glob("root/.cache/*")],
}))
"""
    found = json.loads(docker("run", "--rm", "--user", "0", "--entrypoint", "python3", image, "-c", program))
    suffixes = found.pop("suffixes")
    assert found == {
        "task": ["logstats", "processor"],
        "tests": [],
        "not compiled": [],
        "unreadable": [],
        "authorities": True,
        "presets": True,
        "caches": [],
    }
    assert not {".pyi", ".c", ".h", ".pyx", ".a", ".whl"} & set(suffixes)
    assert docker("image", "inspect", "--format", "{{.Config.User}}", image).strip() == "993:990"


def test_every_aws_service_that_the_code_uses_has_its_model(image: str) -> None:
    """The Dockerfile leaves out botocore's other models."""
    program = "import boto3; [boto3.client(name, region_name='eu-west-1') for name in ('s3', 'sts', 'rds')]"
    docker("run", "--rm", "--entrypoint", "python3", image, "-c", program)
