"""What the page does where the API asks who calls: the real app, behind a stand-in for API Gateway's authorizer."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from api.settings import Auth
from tests.browser.conftest import Api


@pytest.fixture
def serve(full_database: str) -> Iterator[Callable[[Auth], str]]:
    running: list[Api] = []

    def start(auth: Auth) -> str:
        running.append(Api(full_database, auth))
        return running[-1].url

    yield start
    for each in running:
        each.stop()


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
