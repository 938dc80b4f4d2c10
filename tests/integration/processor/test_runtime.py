"""The processor under the real `awslambdaric`, as Lambda runs it, without Docker."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from logstats.settings import DatabaseSettings
from tests import tables
from tests.events import created, sqs_event
from tests.execution import SANDBOX, ExecutionEnvironment, execution_environment
from tests.integration.processor.conftest import REJECTS
from tests.logs import as_bytes, random_lines
from tests.s3_double import S3Double

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="awslambdaric runs on Linux only")

HANDLER = "processor.handler.handler"
BUCKET = "request-logs"
A, B = random_lines(1, 600), random_lines(2, 500)
OTHERS = (
    "FROM pg_stat_activity"
    " WHERE datname = current_database() AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
)


@pytest.fixture
def variables(s3: S3Double, database: DatabaseSettings) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": s3.endpoint,
        "DATABASE_URL": database.url,
        "DATABASE_TLS": "disable",
        "DATABASE_IAM_AUTH": "false",
        "REJECTS_BUCKET": REJECTS,
    }


def put(s3: S3Double, key: str, data: list[str] | bytes, *, stalled: bool = False) -> dict[str, Any]:
    """Put an object, and return its event."""
    block = data if isinstance(data, bytes) else as_bytes(data)
    version = s3.put(BUCKET, key, block, stalled=stalled).version_id
    return sqs_event(created(BUCKET, key, version, "01"))


@pytest.fixture
def processor(variables: dict[str, str]) -> Iterator[ExecutionEnvironment]:
    with execution_environment(HANDLER, variables) as environment:
        yield environment


def backends(engine: sa.Engine) -> set[int]:
    """The server's processes for other connections to this database."""
    with engine.connect() as connection:
        return set(connection.scalars(sa.text(f"SELECT pid {OTHERS}")))


@pytest.fixture
def without_bucket(variables: dict[str, str]) -> Iterator[ExecutionEnvironment]:
    """Without a bucket for rejected lines, no message can be kept: every failure is delivered again."""
    del variables["REJECTS_BUCKET"]
    with execution_environment(HANDLER, variables) as environment:
        yield environment


def test_a_batch_that_fails_as_a_whole_is_an_error_and_the_environment_lives_on(
    s3: S3Double, without_bucket: ExecutionEnvironment, engine: sa.Engine
) -> None:
    processor = without_bucket
    result = processor.invoke(sqs_event(created(BUCKET, "gone.log", "v1", "01")))
    assert (result.kind, result.payload["errorType"]) == ("error", "BatchProcessingError")
    assert "MissingError" in result.payload["errorMessage"]
    assert processor.invoke(put(s3, "a.log", A)).kind == "response"
    tables.check(engine, A)


def test_invocations_share_connections_and_replace_those_that_died_while_frozen(
    s3: S3Double, processor: ExecutionEnvironment, engine: sa.Engine
) -> None:
    seen = []
    for key, data in (("in/a b+c.log", as_bytes(A) + b"broken\n"), ("b.log", as_bytes(B))):
        result = processor.invoke(put(s3, key, data))
        assert (result.kind, result.payload) == ("response", {"batchItemFailures": []})
        seen.append(backends(engine))
    assert seen[0] == seen[1] != set()
    with engine.connect() as connection:
        assert connection.scalars(sa.text(f"SELECT pg_terminate_backend(pid) {OTHERS}")).all()
    assert processor.invoke(put(s3, "c.log", B)).kind == "response"
    tables.check(engine, [*A, *B, *B])
    assert [bucket for bucket, _ in s3.objects].count(REJECTS) == 1


def test_a_killed_environment_leaves_nothing_and_the_next_delivery_succeeds(
    s3: S3Double, variables: dict[str, str], engine: sa.Engine
) -> None:
    event = put(s3, "a.log", A, stalled=True)
    with execution_environment(HANDLER, variables) as environment:
        environment.invoke_and_kill(event, after=4)
    assert tables.statistics(engine) == {}
    s3.objects.clear()
    put(s3, "a.log", A)
    with execution_environment(HANDLER, variables) as environment:
        assert environment.invoke(event).payload == {"batchItemFailures": []}
    tables.check(engine, A)


def test_a_handler_whose_time_runs_out_fails_its_message_by_itself(
    s3: S3Double, processor: ExecutionEnvironment, engine: sa.Engine
) -> None:
    """The body never comes; the function answers before it is cut off, and lives on."""
    assert processor.invoke(put(s3, "first.log", B)).kind == "response"
    event = put(s3, "a.log", A, stalled=True)
    result = processor.invoke(event, timeout=9)
    assert result.kind == "error"
    assert "the function's time is up; the next delivery starts again" in result.payload["errorMessage"]
    tables.check(engine, B)
    s3.objects.pop((BUCKET, "a.log"))
    put(s3, "a.log", A)
    assert processor.invoke(event).payload == {"batchItemFailures": []}
    tables.check(engine, [*A, *B])


FULL_TMP = """
mount --make-rprivate / &&
mount --bind /tmp /mnt &&
mount -t tmpfs -o size=64k tmpfs /tmp &&
for kept in "$SOCKETS" "$CLONE" "$ENVIRONMENT"; do
    case $kept in /tmp/*) mkdir -p "$kept" && mount --bind "/mnt${kept#/tmp}" "$kept" || exit;; esac
done &&
{ cat /dev/zero > /tmp/full 2>/dev/null; exec "$@"; }
"""


def test_a_full_tmp_does_not_matter_when_rejected_lines_have_a_bucket(
    s3: S3Double, variables: dict[str, str], engine: sa.Engine, postgres_folder: Path
) -> None:
    """In a mount namespace of its own, /tmp is a file system of 64 KiB without a free byte.

    PostgreSQL's sockets are in /tmp, and a clone or its environment may be.
    """
    kept = (f"SOCKETS={postgres_folder}", f"CLONE={ROOT}", f"ENVIRONMENT={sys.prefix}")
    within = ["unshare", "--mount", "env", *kept, "sh", "-c", FULL_TMP, "sh"]
    if subprocess.run([*within, "true"], capture_output=True, check=False).returncode:
        pytest.skip("a mount namespace needs root")
    event = put(s3, "a.log", as_bytes(A) + b"broken\n")
    with execution_environment(HANDLER, variables, within=within) as environment:
        assert environment.invoke(event).payload == {"batchItemFailures": []}
    tables.check(engine, A)
    del variables["REJECTS_BUCKET"]
    variables["REJECTS_FOLDER"] = "/tmp/rejected"  # noqa: S108 - Lambda's
    event = put(s3, "b.log", as_bytes(B) + b"broken\n")
    with execution_environment(HANDLER, variables, within=within) as environment:
        result = environment.invoke(event)
    assert result.kind == "error"
    assert "No space left on device" in result.payload["errorMessage"]
    tables.check(engine, A)


def test_trap_12_the_sandbox_has_a_read_only_root_and_no_semaphores(
    s3: S3Double, variables: dict[str, str]
) -> None:
    """Every test here runs in the sandbox; this one shows that it holds."""
    del variables["REJECTS_BUCKET"]  # rejected lines then go to a folder
    with execution_environment(HANDLER, variables) as environment:
        result = environment.invoke(put(s3, "a.log", as_bytes(A) + b"broken\n"))
    assert result.kind == "error"
    assert "Read-only file system" in result.payload["errorMessage"]
    done = subprocess.run(
        [sys.executable, "-c", "import multiprocessing; multiprocessing.Lock()"],
        env={"PYTHONPATH": str(SANDBOX)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "Function not implemented" in done.stderr
