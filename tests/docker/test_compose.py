"""`localstack-compose.yml` from `up` to `down -v`: upload a log, read the statistics, leave nothing."""

import json
import time
import urllib.request
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

from local.cloud.emulator import Endpoint
from tests import oracle
from tests.docker.compose import Compose
from tests.docker.conftest import LAMBDA_STAND_IN, STAND_IN
from tests.docker.containers import DOCKER, ROOT, DockerError, docker, output
from tests.integration.local.cloud.conftest import free_port
from tests.logs import as_bytes, random_lines

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]

PROJECT = "logstats-under-test"
BUCKET = "logstats-local-logs-000000000000-us-east-1"
DAYS = "from=2024-09-01&to=2024-10-31"


@pytest.fixture(scope="module")
def variables(image: str, base_image: str | None) -> dict[str, str]:
    """Stand-ins for all public images, if there are any; other ports than a developer's own project."""
    chosen = {
        "PROCESSOR_IMAGE": image,
        "EMULATOR_IMAGE": "logstats/emulator:under-test",
        "TOOLS_IMAGE": "logstats/tools:under-test",
        "EMULATOR_PORT": str(free_port()),
        "API_PORT": str(free_port()),
        "POSTGRES_PORT": str(free_port()),
    }
    base = []
    if base_image == LAMBDA_STAND_IN:
        chosen["POSTGRES_IMAGE"] = "standin/postgres:18"
        base = ["--build-arg", f"PYTHON_IMAGE={STAND_IN}"]
    for target in ("emulator", "tools"):
        file = [
            "--file",
            "local/compose/Dockerfile",
            "--target",
            target,
            "--tag",
            chosen[f"{target}_IMAGE".upper()],
        ]
        output([DOCKER, "build", "--network", "host", *base, *file, "."], timeout=900, DOCKER_BUILDKIT="1")
    return chosen


def wait_until_ready(compose: Compose) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            stats(compose, "nobody")
        except OSError as error:
            if time.monotonic() > deadline:
                raise DockerError(f"the API does not answer: {error}") from None
            time.sleep(0.2)
        else:
            return


@pytest.fixture(scope="module")
def compose(variables: dict[str, str]) -> Iterator[Compose]:
    project = Compose(PROJECT, variables)
    try:
        try:
            project("up", "--detach", "--no-build")
            wait_until_ready(project)
        except DockerError as error:
            pytest.fail(f"{error}\n{project('logs', '--no-color', '--tail=40')}", pytrace=False)
        yield project
    finally:
        project("down", "--volumes", "--timeout", "5")


@pytest.fixture
def s3(compose: Compose) -> "S3Client":
    client: S3Client = Endpoint(f"http://127.0.0.1:{compose.variables['EMULATOR_PORT']}").client("s3")
    return client


def stats(compose: Compose, customer: str) -> list[dict[str, Any]]:
    url = f"http://127.0.0.1:{compose.variables['API_PORT']}/customers/{customer}/stats?{DAYS}"
    with urllib.request.urlopen(url, timeout=30) as response:
        answer: list[dict[str, Any]] = json.load(response)
        return answer


def wait_for(compose: Compose, customer: str, requests: int) -> list[dict[str, Any]]:
    deadline = time.monotonic() + 60
    while True:
        rows = stats(compose, customer)
        if sum(row["total_requests"] for row in rows) >= requests:
            return rows
        assert time.monotonic() < deadline, compose("logs", "--no-color", "--tail=30")
        time.sleep(0.2)


def test_an_uploaded_log_is_served_through_the_gateway(compose: Compose, s3: "S3Client") -> None:
    lines = (ROOT / "api_requests.log").read_text(encoding="ascii").splitlines()
    s3.upload_file(str(ROOT / "api_requests.log"), BUCKET, "api_requests.log")
    expected = oracle.answers(lines)
    for customer in sorted({customer for customer, _ in expected}):
        days = {day: numbers for (name, day), numbers in expected.items() if name == customer}
        rows = wait_for(compose, customer, sum(day["total_requests"] for day in days.values()))
        assert [row["date"] for row in rows] == sorted(days)
        for row in rows:
            assert {field: row[field] for field in days[row["date"]]} == pytest.approx(
                days[row["date"]], abs=1e-9
            )


def test_a_processor_that_is_killed_comes_back(compose: Compose, s3: "S3Client") -> None:
    """The emulator delivers the message again, or the container is back before it is taken."""
    compose("kill", "processor")
    s3.put_object(Bucket=BUCKET, Key="after.log", Body=as_bytes(random_lines(1, 500, customers=1)))
    compose("up", "--detach", "--no-build", "processor")
    assert wait_for(compose, "cust_1", 500)


def test_down_leaves_nothing(variables: dict[str, str]) -> None:
    """A project of its own, so that the order of tests does not matter."""
    project = Compose(
        f"{PROJECT}-2",
        {**variables, **{f"{n}_PORT": str(free_port()) for n in ("EMULATOR", "API", "POSTGRES")}},
    )
    project("up", "--detach", "--no-build", "postgres", "emulator")
    project("down", "--volumes", "--timeout", "5")
    mine = f"label=com.docker.compose.project={project.project}"
    for kind in (["ps", "--all"], ["volume", "ls"], ["network", "ls"]):
        assert docker(*kind, "--quiet", "--filter", mine) == ""
