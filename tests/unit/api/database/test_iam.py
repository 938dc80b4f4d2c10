import datetime as dt
from collections.abc import Iterator
from typing import Any

import boto3
import botocore.auth
import botocore.compat
import botocore.exceptions
import pytest

from api.database import iam
from logstats.address import parse

NOW = dt.datetime(2024, 9, 3, 12, 34, 56)  # noqa: DTZ001 - as botocore has it


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_REGION"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nowhere")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    iam._session.cache_clear()
    yield
    iam._session.cache_clear()


@pytest.mark.parametrize("session_token", [None, "IQoJb3JpZ2luX2VjE/+=="])
@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("postgresql://reader@db.example:6432/logstats", ("db.example", 6432, "reader")),
        ("postgresql://api+reader@db.example/logstats", ("db.example", 5432, "api+reader")),
        ("postgresql://a%40b@db.example/logstats", ("db.example", 5432, "a@b")),
    ],
)
def test_the_token_is_the_one_that_boto3_makes(
    monkeypatch: pytest.MonkeyPatch, session_token: str | None, url: str, parts: tuple[str, int, str]
) -> None:
    if session_token:
        monkeypatch.setenv("AWS_SESSION_TOKEN", session_token)
    monkeypatch.setattr(botocore.auth, "get_current_datetime", lambda *_: NOW)
    host, port, user = parts
    client: Any = boto3.session.Session().client("rds")
    expected = client.generate_db_auth_token(DBHostname=host, Port=port, DBUsername=user)
    assert iam.database_token(parse(url)) == expected


def test_credentials_that_change_are_followed() -> None:
    """A session is kept; its credentials may be temporary."""
    session = iam._session()
    session.set_credentials("FIRST", "secret")
    assert "Credential=FIRST%2F" in iam.database_token(parse("postgresql://u@h/n"))
    session.set_credentials("SECOND", "secret")
    assert "Credential=SECOND%2F" in iam.database_token(parse("postgresql://u@h/n"))


def test_without_credentials_or_a_region_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    with pytest.raises(botocore.exceptions.NoCredentialsError):
        iam.database_token(parse("postgresql://u@h/n"))
    iam._session.cache_clear()
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    with pytest.raises(botocore.exceptions.NoRegionError):
        iam.database_token(parse("postgresql://u@h/n"))
