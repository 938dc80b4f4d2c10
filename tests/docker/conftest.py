"""Fixtures of the Docker tests. Without a daemon they skip, with its own error; with REQUIRE_DOCKER=1 they fail."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from local.postgres import EmbeddedPostgres
from logstats.settings import DatabaseSettings
from tests.docker.containers import DOCKER, DockerError, docker, output, relay
from tests.s3_double import S3Double

STAND_IN = "standin/python:3.12"
"""Of Docker's Python image."""
LAMBDA_STAND_IN = "standin/lambda-python:3.12"
"""Of AWS's, which has fewer programs."""
IMAGE = "logstats/processor:under-test"
REJECTS = "rejected-lines"


@pytest.fixture(scope="session")
def daemon() -> None:
    """A Docker daemon that answers."""
    try:
        docker("ps", "--quiet")
    except DockerError as error:
        if os.environ.get("REQUIRE_DOCKER") == "1":
            pytest.fail(str(error), pytrace=False)
        pytest.skip(str(error))  # in the daemon's own words


@pytest.fixture(scope="session")
def base_image(daemon: None) -> str | None:
    """`BASE_IMAGE`, or the stand-in if it was made here, or the Dockerfile's own."""
    try:
        docker("image", "inspect", LAMBDA_STAND_IN)
    except DockerError:
        return os.environ.get("BASE_IMAGE")
    return os.environ.get("BASE_IMAGE", LAMBDA_STAND_IN)


@pytest.fixture(scope="session")
def image(base_image: str | None) -> str:
    """The image of the unmodified Dockerfile."""
    options = f"DOCKER={DOCKER}", f"IMAGE={IMAGE}", "DOCKER_BUILD_OPTIONS=--network host"
    base = [f"BASE_IMAGE={base_image}"] if base_image else []
    output(["make", "--silent", "image", *options, *base], timeout=600)
    return IMAGE


@pytest.fixture
def s3() -> Iterator[S3Double]:
    """An S3 that containers reach."""
    with S3Double() as double:
        yield double


@pytest.fixture
def variables(s3: S3Double, server: EmbeddedPostgres, database: DatabaseSettings) -> Iterator[dict[str, str]]:
    """The processor's environment."""
    url = sa.make_url(database.url)
    with relay(Path(str(url.query["host"])) / ".s.PGSQL.5432") as port:
        yield {
            "AWS_ENDPOINT_URL": s3.endpoint,
            "DATABASE_URL": f"postgresql://postgres@127.0.0.1:{port}/{url.database}",
            "DATABASE_TLS": "disable",
            "DATABASE_IAM_AUTH": "false",
            "REJECTS_BUCKET": REJECTS,
        }
