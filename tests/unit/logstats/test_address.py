"""One reading of a database URL for every driver, or one clear error."""

import getpass
from dataclasses import replace

import pytest

from logstats.address import Address, AddressError, parse

VARIABLES = ("PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE", "PGHOSTADDR")


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


PLAIN = Address("h", 5432, "u", None, "n", {})


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://u@h:5433/n", replace(PLAIN, port=5433)),
        (
            "postgres://u:p%40s%3As%2F%23%3F@h/n",  # pragma: allowlist secret
            replace(PLAIN, password="p@s:s/#?"),  # pragma: allowlist secret
        ),
        ("postgresql://u:@h/n", replace(PLAIN, password="")),
        ("postgresql+asyncpg://u@h/n", PLAIN),
        ("postgresql+psycopg://u@h/n", PLAIN),
        ("postgresql://k%C3%BCndin@h/t%20n", replace(PLAIN, user="kündin", database="t n")),
        ("postgresql://u@[::1]:5/n", replace(PLAIN, host="::1", port=5)),
        ("postgresql://u@/n?host=/run/socket", replace(PLAIN, host="/run/socket")),
        ("postgresql://u@/n?host=%2Frun%2Fsocket&port=6", replace(PLAIN, host="/run/socket", port=6)),
        ("postgresql://u@%2Frun%2FSocket/n", replace(PLAIN, host="/run/Socket")),
        ("postgresql://u@%2frun%2FSocket:7/n", replace(PLAIN, host="/run/Socket", port=7)),
        ("postgresql://u@h/n?sslmode=require", replace(PLAIN, options={"sslmode": "require"})),
        (
            "postgresql://u@h/n?sslmode=verify-full&sslrootcert=/ca.pem",
            replace(PLAIN, options={"sslmode": "verify-full", "sslrootcert": "/ca.pem"}),
        ),
        (
            "postgresql://u@h/n?channel_binding=require&connect_timeout=5&application_name=a+b%20c",
            replace(
                PLAIN,
                options={"channel_binding": "require", "connect_timeout": "5", "application_name": "a+b c"},
            ),
        ),
        (
            "postgresql://u@h/n?options=-c%20search_path%3Dx",
            replace(PLAIN, options={"options": "-c search_path=x"}),
        ),
        ("postgresql://u@h", replace(PLAIN, database="u")),
        ("postgresql://u@h?", replace(PLAIN, database="u")),
    ],
)
def test_a_url_has_one_meaning(url: str, expected: Address) -> None:
    assert parse(url) == expected


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("", "malformed"),
        ("localhost", "malformed"),
        ("host=h user=u", "malformed"),
        ("mysql://u@h/n", "not PostgreSQL's"),
        ("postgresql+psycopg2://u@h/n", "not PostgreSQL's"),
        ("postgresql:///n", "no host"),
        ("postgresql://u@h1,h2/n", "or several"),
        ("postgresql://u@h1:1,h2:2/n", "malformed"),
        ("postgresql://u@h/n?host=/run/socket", "two of host"),
        ("postgresql://u@/n?host=a&host=b", "two of host"),
        ("postgresql://u@h:5432/n?port=5432", "two of port"),
        ("postgresql://u@h/n?sslmode=disable&sslmode=require", "two of sslmode"),
        ("postgresql://u@h:port/n", "not a number from 1 to 65535"),
        ("postgresql://u@h:0/n", "not a number from 1 to 65535"),
        ("postgresql://u@h:65536/n", "not a number from 1 to 65535"),
        ("postgresql://u@h/n?port=none", "not a number from 1 to 65535"),
        ("postgresql://u@h/n?sslmode=allow", r"impossible \?sslmode= \(known: disable, prefer, require"),
        ("postgresql://u@h/n?connect_timeout=0", r"impossible \?connect_timeout="),
        ("postgresql://u@h/n?channel_binding=maybe", r"impossible \?channel_binding="),
        ("postgresql://u@h/n?password=secret", r"has \?password=; it may have"),
        ("postgresql://u@h/n?user=v", r"has \?user=; it may have"),
        ("postgresql://u:secr@t@h/n", "malformed"),  # pragma: allowlist secret
        ("postgresql://u:secr#t@h/n", "malformed"),
        ("postgresql://u:secr%t@h/n", "malformed"),  # pragma: allowlist secret
        ("postgresql://u@h/n/m", "malformed"),
        ("postgresql://u@h/n%FF", "not UTF-8"),
        ("postgresql://u@h/n%00", "NUL"),
        ("postgresql://u@h/\udcff", "malformed"),
        ("postgresql://u@h/n\n", "malformed"),
    ],
)
def test_a_url_without_one_meaning_is_one_clear_error(url: str, problem: str) -> None:
    with pytest.raises(AddressError, match=problem) as raised:
        parse(url)
    assert "secr" not in str(raised.value)
    assert "\n" not in str(raised.value)


def test_what_a_url_leaves_out_is_that_of_libpq(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "/run/socket")
    me = getpass.getuser()
    assert parse("postgresql://") == replace(PLAIN, host="/run/socket", user=me, database=me)
    for name, value in {"PGPORT": "6", "PGUSER": "v", "PGPASSWORD": "q", "PGDATABASE": "m"}.items():
        monkeypatch.setenv(name, value)
    assert parse("postgresql:///") == replace(
        PLAIN, host="/run/socket", port=6, user="v", password="q", database="m"
    )
    assert parse("postgresql://u:p@h:5/n") == replace(PLAIN, port=5, password="p")  # pragma: allowlist secret


def test_a_variable_that_overrides_the_url_for_one_driver_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOSTADDR", "10.0.0.1")
    with pytest.raises(AddressError, match="PGHOSTADDR is set"):
        parse("postgresql://u@h/n")
