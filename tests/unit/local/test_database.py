from pathlib import Path

import pytest

from local.database import open_database, parse_url
from local.errors import UserError


@pytest.mark.parametrize(
    ("options", "tls", "ca_file"),
    [
        ("", "prefer", None),
        ("?sslmode=disable", "disable", None),
        ("?sslmode=require&channel_binding=prefer", "require", None),
        ("?sslmode=verify-full&sslrootcert=/ca.pem", "verify-full", "/ca.pem"),
    ],
)
def test_a_url_becomes_settings(options: str, tls: str, ca_file: str | None) -> None:
    url = f"postgres://u:p%40ss@h/n{options}"  # pragma: allowlist secret - of nobody
    settings = parse_url(url)
    assert (settings.url, settings.tls, settings.ca_file) == (url, tls, ca_file)
    assert not settings.iam_auth


@pytest.mark.parametrize(
    "url", ["", "localhost", "mysql://u@h/n", "postgresql://postgres@h/n?host=/run/socket"]
)
def test_a_url_that_cannot_be_used_is_one_line(url: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_url(url)
    assert "database URL" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_empty_variable_is_an_error_not_the_embedded_database(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("DATABASE_URL", "")
    with pytest.raises(UserError, match="The database URL is malformed"), open_database(None, tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_another_malformed_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_CONNECT_TIMEOUT_SECONDS", "soon")
    with pytest.raises(UserError, match="DATABASE_CONNECT_TIMEOUT_SECONDS"):
        parse_url("postgresql://u@h/n")


def test_the_environment_does_not_change_what_the_url_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_TLS", "disable")
    monkeypatch.setenv("DATABASE_IAM_AUTH", "true")
    settings = parse_url("postgresql://u@h/n")
    assert (settings.tls, settings.iam_auth) == ("prefer", False)
