"""A real Chromium on the real API, on a database that real logs were ingested into."""

import datetime as dt
import os
import random
import shutil
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Dialog,
    Error,
    Page,
    ViewportSize,
    sync_playwright,
)

from api.app import create_app
from api.settings import ApiSettings, Auth
from local.postgres import EmbeddedPostgres
from logstats.database import create_engine
from logstats.settings import DatabaseSettings
from processor.bulk import ingest_all
from processor.ingest import Ingestor
from processor.reject_stores import LocalRejectStore
from processor.sources import file_source

NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
WINDOW = ViewportSize(width=1280, height=900)
LAST_DAY = dt.date(2024, 10, 3)
HOSTILE = (
    "<script>alert(1)</script>",
    "<img/src=x/onerror=alert(1)>",
    "\u202egpj.exe",
    "שלום-עולם",
    "a/b&c=d#e%2F",
    "x" * 255,
)


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


class Api:
    """The real app on a port of this process, behind a stand-in for API Gateway's authorizer."""

    def __init__(self, database_url: str, auth: Auth = "none") -> None:
        self._database = DatabaseSettings(url=database_url, tls="disable", iam_auth=False)
        self._auth = auth
        self.start()

    def start(self, port: int = 0) -> None:
        app = Gateway(create_app(self._database, ApiSettings(auth=self._auth)))
        self._listener = socket.create_server(("127.0.0.1", port))
        self.port = self._listener.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}/"
        self._server = uvicorn.Server(
            uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=1)
        )
        self._thread = threading.Thread(target=self._server.run, args=([self._listener],))
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)
        self._listener.close()

    def get(self, path: str, **query: str) -> Any:  # noqa: ANN401 - what the API answers
        response = httpx.get(f"{self.url}{path}", params=query, timeout=30)
        response.raise_for_status()
        return response.json()

    def stats(self, customer: str, **query: str) -> httpx.Response:
        response = httpx.get(f"{self.url}customers/{customer}/stats", params=query, timeout=30)
        response.raise_for_status()
        return response


def log_lines() -> list[str]:
    """A customer of 400 days with a hole, one of a month, and names that want to be more than names."""
    source = random.Random(8)
    lines = []

    def add(customer: str, days: int, requests: int) -> None:
        for back in range(days):
            if (50 <= back < 61 or back % 97 == 13) and days > 60:
                continue
            for _ in range(source.randrange(1, requests)):
                status = source.choices([200, 201, 404, 500], [90, 5, 4, 1])[0]
                time = f"{LAST_DAY - dt.timedelta(back)} 12:{source.randrange(60):02}:00"
                lines.append(f"{time} {customer} /api {status} {source.lognormvariate(-2, 0.8):.3f}")

    add("acme", 400, 40)
    for number in range(1, 13):
        add(f"cust_{number}", 30, 6)
    for name in HOSTILE:
        add(name, 3, 5)
    return [*lines, "nonsense", f"{LAST_DAY} 12:00:00 acme /api 200 0,5"]


def ingest(database_url: str, *files: Path) -> None:
    engine = create_engine(DatabaseSettings(url=database_url, tls="disable", iam_auth=False))
    ingestor = Ingestor(engine, LocalRejectStore(files[0].parent / "rejected"), workers=1)
    sources = [file_source(path, None, is_rotated=False) for path in files]
    assert not [result.problem for result in ingest_all(sources, lambda _: ingestor) if result.problem]
    engine.dispose()


@pytest.fixture(scope="session")
def full_database(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with the statistics of `log_lines`, from two files, and one that is no log."""
    url = server.create_database("page", template="migrated")
    folder = tmp_path_factory.mktemp("logs")
    lines = log_lines()
    half = len(lines) // 2
    files = {"first.log": lines[:half], "second.log": lines[half:], "table.parquet": ["no log"]}
    for name, lines_of_one in files.items():
        (folder / name).write_text("\n".join(lines_of_one), encoding="utf-8")
        ingest(url, folder / name)
    return url


@pytest.fixture(scope="session")
def api(full_database: str) -> Iterator[Api]:
    running = Api(full_database)
    yield running
    running.stop()


@pytest.fixture(scope="package")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; without one the tests are skipped, or fail where REQUIRE_CHROMIUM says so.

    For this folder only: while Playwright runs, its event loop does too, and asyncio.run() would fail in
    the tests of others.
    """
    path = next(filter(None, map(shutil.which, NAMES)), None)
    if path is None:
        reason = "there is no Chromium on PATH (Debian: apt-get install chromium)"
        if os.environ.get("REQUIRE_CHROMIUM"):
            pytest.fail(reason)
        pytest.skip(reason)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS.split())
        yield browser
        browser.close()


@pytest.fixture(scope="package")
def tab(chromium: Browser) -> Page:
    """One page for all: a new one takes the processor's time of three visits."""
    context = chromium.new_context(viewport=WINDOW, locale="en-GB")
    context.set_default_timeout(10_000)
    return context.new_page()


@pytest.fixture
def page(tab: Page) -> Iterator[Page]:
    """A page; an error in its script, or a breach of its policy, fails the test."""
    wrong: list[str] = []

    def on_dialog(dialog: Dialog) -> None:
        wrong.append(dialog.message)
        dialog.dismiss()

    def on_error(error: Error) -> None:
        wrong.append(str(error))

    def on_message(message: ConsoleMessage) -> None:
        if "Content Security Policy" in message.text:
            wrong.append(message.text)

    tab.on("dialog", on_dialog)
    tab.on("pageerror", on_error)
    tab.on("console", on_message)
    yield tab
    tab.unroute_all()
    tab.goto("about:blank")
    for event, listener in ("dialog", on_dialog), ("pageerror", on_error), ("console", on_message):
        tab.remove_listener(event, listener)
    assert wrong == []


@dataclass(frozen=True)
class Look:
    """A page of a theme and a width, and where screenshots go, if anywhere."""

    page: Page
    name: str

    def check(self, view: str) -> None:
        """Let axe-core find nothing, and nothing be wider than the window."""
        results = Axe().run(self.page)
        assert results.response["passes"], "axe has looked at nothing"
        assert results.violations_count == 0, f"{view}: {results.generate_report()}"
        assert self.page.evaluate("document.documentElement.scrollWidth <= innerWidth"), view

    def keep(self, view: str, *, full_page: bool = True) -> None:
        """Make a screenshot, if PAGE_PICTURES names a folder for them."""
        if folder := os.environ.get("PAGE_PICTURES"):
            self.page.screenshot(path=Path(folder, f"{view}-{self.name}.png"), full_page=full_page)


@pytest.fixture(params=["light-1280", "dark-360"])
def look(request: pytest.FixtureRequest, page: Page) -> Iterator[Look]:
    theme, width = request.param.split("-")
    page.emulate_media(color_scheme=theme)
    page.set_viewport_size({"width": int(width), "height": WINDOW["height"]})
    yield Look(page, request.param)
    page.emulate_media(color_scheme="null")
    page.set_viewport_size(WINDOW)
