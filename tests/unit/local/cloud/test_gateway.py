"""The API's own port passes on what comes in, and what comes back."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from local.cloud.gateway import Gateway
from local.cloud.listener import Handler, Listener
from logstats.domain.reader import Reader, Request
from logstats.formats import load
from tests.integration.local.cloud.conftest import free_port


class _Upstream(Handler):
    def do_GET(self) -> None:  # noqa: N802 - the base class looks for this name
        seen = {
            "method": self.command,
            "path": self.path,
            "host": self.headers["Host"],
            "headers": {name.lower(): value for name, value in self.headers.items()},
            "body": self.body().decode(),
        }
        headers = [("Retry-After", "7"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")]
        self.send(418, headers, json.dumps(seen).encode())

    do_POST = do_HEAD = do_PURGE = do_GET  # noqa: N815 - the base class asks for these names


@pytest.fixture
def upstream() -> Iterator[int]:
    with Listener(("127.0.0.1", 0), _Upstream) as server:
        yield server.server_port


def ask(upstream: int, method: str, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401 - httpx's
    port = free_port()
    with Gateway(f"http://abc.execute-api.localhost:{upstream}", port) as gateway:
        assert gateway.url == f"http://localhost:{port}"
        return httpx.request(method, f"http://127.0.0.1:{port}{path}", trust_env=False, **options)


def test_the_request_arrives_as_it_was_for_the_api_s_own_name(upstream: int) -> None:
    path = "/customers/a%2Fb%25/stats?from=2024-09-03&x=%20"
    seen = ask(upstream, "POST", path, content=b"hello", headers={"Accept": "a/b"}).json()
    assert (seen["method"], seen["path"], seen["body"]) == ("POST", path, "hello")
    assert seen["host"] == f"abc.execute-api.localhost:{upstream}"
    assert seen["headers"]["accept"] == "a/b"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PURGE"])
def test_the_answer_comes_back_as_it_was_whatever_the_method(upstream: int, method: str) -> None:
    response = ask(upstream, method, "/")
    assert response.status_code == 418
    assert response.headers["Retry-After"] == "7"
    assert response.headers.get_list("Set-Cookie") == ["a=1", "b=2"]
    assert (response.content == b"") == (method == "HEAD")


def test_headers_of_one_hop_are_not_passed_on(upstream: int) -> None:
    hop = {"Connection": "keep-alive, x", "TE": "trailers", "Keep-Alive": "9"}
    assert {"te", "keep-alive", "connection"}.isdisjoint(
        ask(upstream, "GET", "/", headers=hop).json()["headers"]
    )


def test_an_emulator_that_is_gone_is_a_502() -> None:
    response = ask(free_port(), "GET", "/")
    assert response.status_code == 502
    assert b"refused" in response.content


def test_each_request_is_a_line_that_our_own_declaration_reads(upstream: int, tmp_path: Path) -> None:
    """The route's key stands for the path, which holds a customer's id."""
    log = tmp_path / "access.log"
    with Gateway(f"http://abc.execute-api.localhost:{upstream}", free_port()) as gateway:
        gateway.log = log
        for path in (
            "/customers/cust_1/stats?from=2024-09-03",
            "/ingestions",
            "/static/1/page.js",
            "/nowhere",
        ):
            httpx.get(f"http://127.0.0.1:{gateway.server_port}{path}", trust_env=False)
    lines = log.read_bytes().splitlines()
    assert b"cust_1" not in b"".join(lines)
    reader = Reader(load("formats/own-api.toml")[1])
    read = [request for line in lines if isinstance(request := reader.read(line), Request)]
    assert [(request.customer_id, request.path, request.status_code) for request in read] == [
        ("GET /customers/{proxy+}", "/customers/{proxy+}", 418),
        ("GET /ingestions", "/ingestions", 418),
        ("GET /static/{proxy+}", "/static/{proxy+}", 418),
        ("-", None, 418),
    ]
    assert all(request.duration_us is not None for request in read)
