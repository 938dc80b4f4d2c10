"""axe-core finds nothing, in light and dark, wide and narrow; PAGE_PICTURES keeps pictures."""

from playwright.sync_api import expect

from tests.browser.conftest import Api, Look

VIEWS = {
    "customers": "?from=2024-09-04&to=2024-10-03&prefix=cust",
    "report": "?customer=acme&from=2024-09-04&to=2024-10-03&objective=98",
    "nothing": "?customer=nobody",
    "error": "?customer=acme&from=2024-10-03&to=2024-10-01",
}


def test_axe_finds_no_violation(look: Look, api: Api) -> None:
    page = look.page
    for name, query in VIEWS.items():
        page.goto(f"{api.url}{query}")
        expect(page.locator("body")).not_to_have_attribute("aria-busy", "true")
        if name == "report":
            page.locator(".missed summary").click()
        if name == "customers":
            page.get_by_role("combobox", name="Customer").press_sequentially("c")
            expect(page.get_by_role("option").first).to_be_visible()
        look.check(name)
        if name == "report":
            page.locator(".missed summary").click()
        if name == "customers":  # as docs/front.png shows it
            page.get_by_role("combobox", name="Customer").fill("")
            page.locator("#main").focus()
            page.wait_for_timeout(300)  # the list of suggestions would come a moment later
        look.keep(name, full_page=name != "customers")
