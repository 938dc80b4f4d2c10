"""Engines: driver, encryption, IAM sign-in, and connections that have died."""

import time
from contextlib import ExitStack
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from logstats.database import create_engine
from logstats.settings import RDS_CA_FILE, DatabaseSettings
from tests.plain_server import plain_server

Tls = Literal["verify-full", "require", "prefer", "disable"]


class CapturedError(Exception):
    """Carries the arguments with which a driver would have connected."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.parameters = parameters


def parameters(settings: DatabaseSettings) -> dict[str, Any]:
    """The arguments with which the driver would connect."""

    def capture(_dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]) -> None:
        raise CapturedError(parameters)

    engine = create_engine(settings)
    sa.event.listen(engine, "do_connect", capture)
    with pytest.raises(CapturedError) as raised:
        engine.connect()
    return raised.value.parameters


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_the_driver_is_chosen_inside(scheme: str) -> None:
    url = (
        f"{scheme}://user:p%40ss@db.example:6000/name?sslmode=disable"  # pragma: allowlist secret - of nobody
    )
    found = parameters(DatabaseSettings(url=url, tls="require", iam_auth=False))
    assert (found["host"], int(found["port"]), found["user"], found["password"]) == (
        "db.example",
        6000,
        "user",
        "p@ss",
    )
    assert found["sslmode"] == "require"


def test_iam_signs_every_connection_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    found = parameters(DatabaseSettings(url="postgresql://reader@db.example:6000/name"))
    token = urlsplit(f"https://{found['password']}")
    query = parse_qs(token.query)
    assert (token.hostname, token.port) == ("db.example", 6000)
    assert (query["Action"], query["DBUser"]) == (["connect"], ["reader"])
    assert "/eu-central-1/rds-db/aws4_request" in query["X-Amz-Credential"][0]
    assert query["X-Amz-Expires"] == ["900"]


@pytest.mark.parametrize(
    ("name", "used"),
    [("rds", str(RDS_CA_FILE)), (None, "system"), ("/etc/ssl/cert.pem", "/etc/ssl/cert.pem")],
)
def test_certificates_are_verified_by_default(name: str | None, used: str) -> None:
    settings = DatabaseSettings(url="postgresql://u@db.example/n", iam_auth=False, ca_file=name)
    found = parameters(settings)
    assert (found["sslmode"], found["sslrootcert"]) == ("verify-full", used)


@pytest.mark.parametrize("tls", ["verify-full", "require", "prefer", "disable"])
def test_nothing_is_said_in_the_clear_unless_allowed(tls: Tls) -> None:
    with plain_server() as (port, told):
        settings = DatabaseSettings(url=f"postgresql://tester@127.0.0.1:{port}/n", tls=tls, iam_auth=False)
        with pytest.raises(sa.exc.DBAPIError):
            create_engine(settings).connect()
    assert bool(told) == (tls in {"prefer", "disable"})
    assert all(b"tester" in message for message in told)


def test_workers_do_not_wait_for_each_others_connections(database: DatabaseSettings) -> None:
    """However many there are: SQLAlchemy's own limit is 15."""
    engine = create_engine(database, pool_timeout=0.1)
    with ExitStack() as stack:
        for _ in range(20):
            assert stack.enter_context(engine.connect()).scalar(sa.text("SELECT 1")) == 1
    engine.dispose()


def test_a_silent_session_is_ended_by_the_server_and_replaced(database: DatabaseSettings) -> None:
    """The one of a frozen function, which cannot end it: it would keep Aurora awake."""
    watcher = create_engine(database)
    silent = create_engine(database.model_copy(update={"idle_session_timeout_seconds": 0.2}))
    with silent.connect() as connection:
        pid = connection.scalar(sa.text("SELECT pg_backend_pid()"))
    there = sa.text("SELECT count(*) FROM pg_stat_activity WHERE pid = :pid")
    deadline = time.monotonic() + 10
    with watcher.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        while connection.scalar(there, {"pid": pid}):
            assert time.monotonic() < deadline, "the session is still there"
            time.sleep(0.05)
    with silent.connect() as connection:
        assert connection.scalar(sa.text("SELECT pg_backend_pid()")) != pid
    watcher.dispose()
    silent.dispose()
