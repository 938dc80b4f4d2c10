from playwright.sync_api import Page, expect

from api.assets import assets
from tests.browser.conftest import Api


def test_little_is_sent_to_draw_a_year(page: Page, api: Api) -> None:
    session = page.context.new_cdp_session(page)
    session.send("Network.enable")
    session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    page.goto(f"{api.url}?customer=acme&from=2023-10-05&to=2024-10-03")
    expect(page.locator("#table tr[data-date]").first).to_be_visible()
    page.evaluate(  # these come after the table; one evaluation, since the page's policy forbids those that wait_for_function repeats
        """() => new Promise(done => {
            const look = () => ["/routes", "/statuses", "/ingestions"].every(path =>
                performance.getEntriesByType("resource").some(one => one.name.includes(path))) ? done() : setTimeout(look, 20);
            look();
        })"""
    )
    sent = page.evaluate(
        """Object.fromEntries([...performance.getEntriesByType("navigation"), ...performance.getEntriesByType("resource")]
            .map(one => [new URL(one.name).pathname.split("/").at(-1) || "page", one.transferSize]))"""
    )
    session.detach()
    drawn = page.evaluate("performance.getEntriesByName('report')[0].startTime")
    print(f"a year drawn after {drawn:.0f} ms; bytes: {sent}")
    assert {"page", "page.css", "page.js", "stats", "routes", "statuses", "customers", "ingestions"} == set(
        sent
    )
    files = assets()
    assert sum(sent[name] for name in ("page", "page.css", "page.js")) < sum(
        len(asset.compressed) + 2_000 for asset in (files.index, *files.files.values())
    )
