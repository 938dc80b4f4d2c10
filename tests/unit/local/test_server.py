"""Which hosts `logstats serve` answers for."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from local import server
from local.errors import UsageError
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


@pytest.mark.parametrize(
    ("host", "allowed", "expected"),
    [
        ("localhost:8888", [], 200),
        ("127.0.0.1:8888", [], 200),
        ("[::1]:8888", [], 200),
        ("evil.example:8888", [], 400),
        ("localhost.evil.example", [], 400),
        ("", [], 400),
        ("api.example.org:80", ["other.example", "api.example.org"], 200),
        ("a.example.org", ["*.example.org"], 200),
        ("any", ["*"], 200),
    ],
)
def test_it_answers_for_this_machine_and_for_hosts_that_are_allowed(
    host: str, allowed: list[str], expected: int
) -> None:
    assert status(host, *allowed) == expected


@pytest.mark.parametrize("name", ["a*", "*a", "*.*"])
def test_a_malformed_host_is_an_error(name: str) -> None:
    with pytest.raises(UsageError, match="--allowed-host"):
        status("localhost", name)
