"""Two containers of the processor's image as one Bytewax cluster, as tasks on ECS would form it."""

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import sqlalchemy as sa

from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from tests import oracle, tables
from tests.docker.containers import docker, lambda_container, lambda_limits
from tests.events import created, sqs_event
from tests.logs import as_bytes, random_lines
from tests.s3_double import S3Double

pytestmark = [pytest.mark.docker, pytest.mark.timeout(600)]

BUCKET, KEY = "request-logs", "large.log"
LINES = random_lines(3, 2_000, customers=50, days=30) * 10
COPIES = 400
MEMORY_MIB = 512
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",  # pragma: allowlist secret - a double's
    "AWS_DEFAULT_REGION": "eu-west-1",
}


@pytest.fixture
def other_database(server: EmbeddedPostgres) -> Iterator[str]:
    name = "single_process"
    server.create_database(name, template="migrated")
    yield name
    engine = create_engine(server.settings("postgres"), isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text(f'DROP DATABASE "{name}" WITH (FORCE)'))
    engine.dispose()


def free_addresses(count: int) -> str:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return ",".join(f"127.0.0.1:{each.getsockname()[1]}" for each in sockets)


def run_cluster(image: str, variables: dict[str, str], count: int) -> list[tuple[int, str]]:
    """Run one task per process; return their exit codes and outputs."""
    addresses = free_addresses(count)
    options = [f"--env={name}={value}" for name, value in {**CREDENTIALS, **variables}.items()]
    limits = [*lambda_limits(MEMORY_MIB), "--network", "host", "--entrypoint", "python3"]
    names: list[str] = []
    try:
        for number in reversed(range(count)):  # the coordinator last: the others wait for it
            command = ["-m", "processor.cluster", f"s3://{BUCKET}/{KEY}", "--addresses", addresses]
            command += ["--process-id", str(number), "--workers", "1"]
            names.insert(0, docker("run", "--detach", *limits, *options, image, *command).split()[-1])
        return [(int(docker("wait", name, timeout=300)), docker("logs", name)) for name in names]
    finally:
        docker("rm", "--force", "--volumes", *names)


def test_two_containers_give_what_one_process_gives(  # noqa: PLR0917 - fixtures
    image: str,
    s3: S3Double,
    server: EmbeddedPostgres,
    variables: dict[str, str],
    engine: sa.Engine,
    other_database: str,
) -> None:
    version = s3.put(BUCKET, KEY, as_bytes(LINES), COPIES)
    ended = run_cluster(image, variables, 2)
    assert [code for code, _ in ended] == [0, 0], ended
    summary = json.loads(ended[0][1].splitlines()[-1])
    assert (summary["outcome"], summary["accepted"]) == ("ingested", COPIES * len(LINES))

    alone = {**variables, "DATABASE_URL": variables["DATABASE_URL"].rpartition("/")[0] + f"/{other_database}"}
    with lambda_container(image, alone, MEMORY_MIB) as processor:
        event = sqs_event(created(BUCKET, KEY, version.version_id, "01"))
        assert processor.invoke(event, timeout=120).payload == {"batchItemFailures": []}

    other = create_engine(server.settings(other_database))
    try:
        assert tables.statistics(engine) == tables.statistics(other) == oracle.repeated(LINES, COPIES)
        assert set(tables.leftovers(engine).values()) == {0}
    finally:
        other.dispose()


def test_an_object_that_is_missing_is_one_clear_error(
    image: str, s3: S3Double, variables: dict[str, str], engine: sa.Engine
) -> None:
    ((code, output),) = run_cluster(image, variables, 1)
    assert code == 1
    assert f"s3://{BUCKET}/{KEY}" in output.splitlines()[-1]
    assert tables.statistics(engine) == {}
