"""Engines: drivers, encryption, IAM sign-in, and connections that have died."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa

from logstats.database import create_asyncpg_engine, create_engine
from logstats.settings import DatabaseSettings

Tls = Literal["verify-full", "require", "prefer", "disable"]
SSL_REQUEST = (80877103).to_bytes(4, "big")


class CapturedError(Exception):
    """Carries the arguments with which a driver would have connected."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        self.parameters = parameters


def connect(driver: str, settings: DatabaseSettings) -> sa.Row[str, str]:
    """Connect and ask who one is, in a new engine."""
    question: sa.Select[str, str] = sa.select(sa.func.current_user(), sa.func.current_database())
    if driver == "psycopg":
        engine = create_engine(settings)
        try:
            with engine.connect() as connection:
                return connection.execute(question).one()
        finally:
            engine.dispose()

    async def ask() -> sa.Row[str, str]:
        engine = create_asyncpg_engine(settings)
        try:
            async with engine.connect() as connection:
                return (await connection.execute(question)).one()
        finally:
            await engine.dispose()

    return asyncio.run(ask())


def parameters(driver: str, settings: DatabaseSettings) -> dict[str, Any]:
    """The arguments with which the driver would connect."""

    def capture(_dialect: object, _record: object, _arguments: object, parameters: dict[str, Any]) -> None:
        raise CapturedError(parameters)

    engine = create_engine(settings) if driver == "psycopg" else create_asyncpg_engine(settings).sync_engine
    sa.event.listen(engine, "do_connect", capture)
    with pytest.raises(CapturedError) as raised:
        engine.connect()
    return raised.value.parameters


both = pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])


@both
def test_a_plain_url_reaches_the_server_through_its_socket(driver: str, database: DatabaseSettings) -> None:
    user, name = connect(driver, database)
    assert user == "postgres"
    assert name.startswith("test_")


@both
@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_the_drivers_are_chosen_inside(driver: str, scheme: str) -> None:
    url = f"{scheme}://user:p%40ss@db.example:6000/name?sslmode=disable"
    found = parameters(driver, DatabaseSettings(url=url, tls="require", iam_auth=False))
    assert (found["host"], int(found["port"]), found["user"], found["password"]) == (
        "db.example",
        6000,
        "user",
        "p@ss",
    )
    assert found.get("sslmode", found.get("ssl")) == "require"


@both
def test_iam_signs_every_connection_in(driver: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
    found = parameters(driver, DatabaseSettings(url="postgresql://reader@db.example:6000/name"))
    token = urlsplit(f"https://{found['password']}")
    query = parse_qs(token.query)
    assert (token.hostname, token.port) == ("db.example", 6000)
    assert (query["Action"], query["DBUser"]) == (["connect"], ["reader"])
    assert "/eu-central-1/rds-db/aws4_request" in query["X-Amz-Credential"][0]
    assert query["X-Amz-Expires"] == ["900"]


def test_certificates_are_verified_by_default() -> None:
    settings = DatabaseSettings(url="postgresql://u@db.example/n", iam_auth=False)
    found = parameters("psycopg", settings)
    assert (found["sslmode"], found["sslrootcert"]) == ("verify-full", "system")
    context = parameters("asyncpg", settings)["ssl"]
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"


def test_other_authorities_can_be_trusted() -> None:
    import certifi  # noqa: PLC0415

    settings = DatabaseSettings(url="postgresql://u@db.example/n", iam_auth=False, ca_file=certifi.where())
    assert parameters("psycopg", settings)["sslrootcert"] == certifi.where()
    assert parameters("asyncpg", settings)["ssl"].get_ca_certs()


@pytest.fixture
def plain_server() -> Iterator[tuple[int, list[bytes]]]:
    """A server without TLS: its port, and what it was told after it had refused to encrypt."""
    told: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    listener.settimeout(10)

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                connection.settimeout(5)
                while data := connection.recv(4096):
                    if data[4:] != SSL_REQUEST:
                        told.append(data)
                        break
                    connection.sendall(b"N")

    thread = threading.Thread(target=serve)
    thread.start()
    yield listener.getsockname()[1], told
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@both
@pytest.mark.parametrize("tls", ["verify-full", "require", "prefer", "disable"])
def test_nothing_is_said_in_the_clear_unless_allowed(
    driver: str, tls: Tls, plain_server: tuple[int, list[bytes]]
) -> None:
    port, told = plain_server
    settings = DatabaseSettings(url=f"postgresql://tester@127.0.0.1:{port}/n", tls=tls, iam_auth=False)
    with pytest.raises((sa.exc.DBAPIError, OSError)):
        connect(driver, settings)
    assert bool(told) == (tls in {"prefer", "disable"})
    assert all(b"tester" in message for message in told)


@both
def test_a_dead_connection_is_replaced(driver: str, database: DatabaseSettings) -> None:
    """A Lambda function that thaws finds its pooled connection dead."""
    kill = sa.text(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    killer = create_engine(database, poolclass=sa.pool.NullPool)

    def kill_all_others() -> None:
        with killer.connect() as connection:
            assert connection.execute(kill).all()

    if driver == "psycopg":
        engine = create_engine(database, pool_size=1)
        for _ in range(2):
            with engine.connect() as connection:
                assert connection.scalar(sa.text("SELECT 1")) == 1
            kill_all_others()
        engine.dispose()
        return

    async def use_twice() -> None:
        engine = create_asyncpg_engine(database, pool_size=1)
        for _ in range(2):
            async with engine.connect() as connection:
                assert await connection.scalar(sa.text("SELECT 1")) == 1
            await asyncio.to_thread(kill_all_others)
        await engine.dispose()

    asyncio.run(use_twice())
