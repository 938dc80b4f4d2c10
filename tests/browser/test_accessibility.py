"""axe-core finds nothing, in light and dark, wide and narrow; the pictures are made on the way."""

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, expect

from tests.browser.conftest import Api

VIEWS = {
    "customers": "?from=2024-09-04&to=2024-10-03&prefix=cust",
    "report": "?customer=acme&from=2023-10-05&to=2024-10-03&objective=98",
    "nothing": "?customer=nobody",
    "error": "?customer=acme&from=2024-10-03&to=2024-10-01",
}


@pytest.mark.parametrize(("theme", "width"), [("light", 1280), ("dark", 360)])
def test_axe_finds_no_violation(chromium: Browser, api: Api, pictures: Path, theme: str, width: int) -> None:
    context = chromium.new_context(
        viewport={"width": width, "height": 900},
        color_scheme="dark" if theme == "dark" else "light",
        locale="en-GB",
    )
    page = context.new_page()
    for name, query in VIEWS.items():
        page.goto(f"{api.url}{query}")
        expect(page.locator("body")).not_to_have_attribute("aria-busy", "true")
        if name == "report":
            page.locator(".missed summary").click()
        if name == "customers":
            page.get_by_role("combobox", name="Customer").press_sequentially("c")
            expect(page.get_by_role("option").first).to_be_visible()
        results = Axe().run(page)
        assert results.response["passes"], "axe has looked at nothing"
        assert results.violations_count == 0, f"{name}: {results.generate_report()}"
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), name
        if name == "report":
            page.locator(".missed summary").click()
        if name == "customers":  # as docs/front.png shows it
            page.get_by_role("combobox", name="Customer").fill("")
            page.locator("#main").focus()
            page.wait_for_timeout(300)  # the list of suggestions would come a moment later
        page.screenshot(path=pictures / f"{name}-{theme}-{width}.png", full_page=name != "customers")
    context.close()
