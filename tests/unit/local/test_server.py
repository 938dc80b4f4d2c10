"""Which hosts `logstats serve` answers for."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from local import server
from local.errors import UserError
from logstats.settings import DatabaseSettings

DATABASE = DatabaseSettings(url="postgresql://u@127.0.0.1:1/n", tls="disable", iam_auth=False)
VARIABLES = ("API_POOL_SIZE", "API_AUTH", "DATABASE_URL", "DATABASE_TLS", "DATABASE_IAM_AUTH", server._HOSTS)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The variables that are set here are gone afterwards."""
    for name in VARIABLES:
        monkeypatch.setenv(name, "1")
    yield
    monkeypatch.undo()


def status(host: str, *allowed: str) -> int:
    server.set_environment(DATABASE, list(allowed))

    async def ask() -> int:
        transport = httpx.ASGITransport(server.app())
        async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
            return (await client.get("/openapi.json", headers={"Host": host})).status_code

    return asyncio.run(ask())


@pytest.mark.parametrize("host", ["localhost", "localhost:8888", "127.0.0.1:8888", "[::1]", "[::1]:8888"])
def test_it_answers_for_this_machine(host: str) -> None:
    assert status(host) == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "evil.example:8888", "localhost.evil.example", "127.0.0.1.evil.example", "", "[::2]"],
)
def test_another_host_is_refused(host: str) -> None:
    assert status(host) == 400


@pytest.mark.parametrize(
    ("host", "allowed"),
    [("api.example.org:80", "api.example.org"), ("a.example.org", "*.example.org"), ("any", "*")],
)
def test_a_host_may_be_allowed(host: str, allowed: str) -> None:
    assert status(host, "other.example", allowed) == 200


@pytest.mark.parametrize("name", ["a*", "*a", "*.*"])
def test_a_malformed_host_is_an_error(name: str) -> None:
    with pytest.raises(UserError, match="--allowed-host"):
        status("localhost", name)
