import asyncio
import ssl
from typing import Literal

import certifi
import pytest
import sqlalchemy as sa

from api.database.reader import DatabaseUnavailableError, Reader, connect_arguments
from api.settings import ApiSettings
from logstats.settings import DatabaseSettings
from tests.plain_server import plain_server

URL = "postgresql://reader@db.example:6432/logstats"


def arguments(**values: object) -> dict[str, object]:
    return connect_arguments(
        DatabaseSettings.model_validate({"url": URL, **values}), ApiSettings(auth="none")
    )


def test_tls_with_a_verified_host_is_the_default() -> None:
    context = arguments(iam_auth=False)["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_other_authorities_can_be_trusted() -> None:
    context = arguments(iam_auth=False, ca_file=certifi.where())["ssl"]
    assert isinstance(context, ssl.SSLContext)
    assert context.get_ca_certs()


@pytest.mark.parametrize(
    ("tls", "query"),
    [
        ("verify-full", ""),
        ("require", ""),
        ("require", "?sslmode=disable"),  # the settings win over the URL, as with the jobs' engines
        ("prefer", ""),
        ("disable", ""),
    ],
)
def test_nothing_is_said_in_the_clear_unless_allowed(
    tls: Literal["verify-full", "require", "prefer", "disable"], query: str
) -> None:
    with plain_server() as (port, told):
        url = f"postgresql://tester@127.0.0.1:{port}/n{query}"
        settings = DatabaseSettings(url=url, tls=tls, iam_auth=False)
        with pytest.raises(DatabaseUnavailableError):
            asyncio.run(Reader(settings, ApiSettings(auth="none")).rows(sa.select(1)))
    assert bool(told) == (tls in {"prefer", "disable"})


def test_every_connection_signs_in_with_a_fresh_token(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIA")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    password = arguments()["password"]
    assert callable(password)
    token = password()
    assert token.startswith("db.example:6432/?Action=connect&DBUser=reader&")
    assert "X-Amz-Expires=900" in token
