"""What the page does where the API asks who calls: the real app, behind a stand-in for API Gateway's authorizer."""

import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Page, expect

from api.app import create_app
from api.settings import ApiSettings, Auth
from local.postgres import EmbeddedPostgres

TOKENS = {
    b"Bearer all": {"scope": "stats:read"},
    b"Bearer acme": {"customer_id": "acme"},
}


class Gateway:
    """Adds to a request what API Gateway says of its token."""

    def __init__(self, app: Any) -> None:  # noqa: ANN401 - an ASGI app
        self._app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - ASGI
        if scope["type"] == "http":
            claims = TOKENS.get(dict(scope["headers"]).get(b"authorization", b""))
            context = {"authorizer": {"jwt": {"claims": claims, "scopes": None}}} if claims else {}
            scope["aws.event"] = {"requestContext": context}
        await self._app(scope, receive, send)


@pytest.fixture
def serve(server: EmbeddedPostgres, full_database: str) -> Iterator[Callable[[Auth], str]]:
    servers = []

    def start(auth: Auth) -> str:
        app = Gateway(create_app(server.settings("page"), ApiSettings(auth=auth)))
        listener = socket.create_server(("127.0.0.1", 0))
        running = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=running.run, args=([listener],))
        thread.start()
        servers.append((running, thread, listener))
        return f"http://127.0.0.1:{listener.getsockname()[1]}/"

    assert full_database
    yield start
    for running, thread, listener in servers:
        running.should_exit = True
        thread.join(20)
        listener.close()


def test_a_token_is_asked_for_used_and_kept_nowhere(page: Page, serve: Callable[[Auth], str]) -> None:
    page.goto(f"{serve('jwt')}?customer=acme")
    alert = page.get_by_role("alert").first
    expect(alert).to_contain_text("This API asks for a token")
    alert.get_by_label("Token").fill("wrong")
    alert.get_by_label("Token").press("Enter")
    expect(alert).to_contain_text("The token is not accepted")
    alert.get_by_label("Token").fill("all")
    alert.get_by_role("button", name="Use this token").click()
    expect(page.locator("#numbers")).to_be_visible()
    expect(page.locator(".files tbody tr")).to_have_count(3)
    assert page.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    assert "all" not in page.url.partition("?")[2]

    page.get_by_role("button", name="Forget the token").click()
    expect(page.get_by_role("alert").first).to_contain_text("This API asks for a token")


def test_a_token_of_one_customer_shows_that_customer(page: Page, serve: Callable[[Auth], str]) -> None:
    page.goto(f"{serve('jwt')}?customer=acme")
    page.get_by_label("Token").fill("acme")
    page.get_by_role("button", name="Use this token").click()
    expect(page.locator("#numbers")).to_be_visible()
    expect(page.locator("#ingestions")).to_have_text("Your token is for one customer; it may not list files.")
    page.get_by_role("combobox", name="Customer").press_sequentially("cust")
    expect(page.locator("#search-hint")).to_have_text("Type the whole name, and press Enter.")
    page.get_by_role("combobox", name="Customer").fill("cust_1")
    page.get_by_role("combobox", name="Customer").press("Enter")
    expect(page.get_by_role("alert").first).to_contain_text("Not allowed")


def test_where_requests_are_signed_the_page_says_that_it_cannot(
    page: Page, serve: Callable[[Auth], str]
) -> None:
    page.goto(serve("iam"))
    expect(page.get_by_role("alert").first).to_contain_text("--aws-sigv4")
    expect(page.get_by_label("Token")).to_have_count(0)
