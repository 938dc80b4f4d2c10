import pytest

from local.database import parse_url
from local.errors import UserError


@pytest.mark.parametrize(
    ("url", "plain", "tls", "ca_file"),
    [
        ("postgresql://u@h:5432/n", "postgresql://u@h:5432/n", "prefer", None),
        # pragma: allowlist nextline secret - of nobody
        ("postgres://u:p%40ss@h/n", "postgres://u:p%40ss@h/n", "prefer", None),
        ("postgresql://u@/n?host=/run/socket", "postgresql://u@/n?host=%2Frun%2Fsocket", "prefer", None),
        ("postgresql://u@[::1]:5/n?sslmode=disable", "postgresql://u@[::1]:5/n", "disable", None),
        ("postgresql://u@h/n?sslmode=require", "postgresql://u@h/n", "require", None),
        (
            "postgresql://u@h/n?sslmode=verify-full&sslrootcert=/ca.pem",
            "postgresql://u@h/n",
            "verify-full",
            "/ca.pem",
        ),
    ],
)
def test_a_url_becomes_settings(url: str, plain: str, tls: str, ca_file: str | None) -> None:
    settings = parse_url(url)
    assert (settings.url, settings.tls, settings.ca_file) == (plain, tls, ca_file)
    assert not settings.iam_auth


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost",
        "postgresql://u@h:port/n",
        "postgresql://u@h:0/n",
        "postgresql://u@h:65536/n",
        "postgresql://u@h/n?port=none",
        "postgresql+psycopg://u@h/n",
        "mysql://u@h/n",
        "postgresql://u@h/\udcff",
        "postgresql://u@h/n?sslmode=allow",
        "postgresql://u@h/n?sslmode=disable&sslmode=require",
        "postgresql://u@h/n?host=a&host=b",
        "postgresql://u@h/n?options=-c%20search_path%3Dx",
    ],
)
def test_a_url_that_cannot_be_used_is_one_line(url: str) -> None:
    with pytest.raises(UserError) as raised:
        parse_url(url)
    assert "database URL" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_another_malformed_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_CONNECT_TIMEOUT_SECONDS", "soon")
    with pytest.raises(UserError, match="DATABASE_CONNECT_TIMEOUT_SECONDS"):
        parse_url("postgresql://u@h/n")


def test_the_environment_does_not_change_what_the_url_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_TLS", "disable")
    monkeypatch.setenv("DATABASE_IAM_AUTH", "true")
    settings = parse_url("postgresql://u@h/n")
    assert (settings.tls, settings.iam_auth) == ("prefer", False)
