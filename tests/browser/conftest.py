"""A real Chromium on the installed API, on a database that real logs were ingested into."""

import datetime as dt
import os
import random
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from local.postgres import EmbeddedPostgres

COMMAND = str(Path(sys.executable).parent / "logstats")
NAMES = ("chromium", "chromium-browser", "google-chrome")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync"
)
LAST_DAY = dt.date(2024, 10, 3)
HOSTILE = (
    "<script>alert(1)</script>",
    "<img/src=x/onerror=alert(1)>",
    "\u202egpj.exe",
    "שלום-עולם",
    "a/b&c=d#e%2F",
    "x" * 255,
)


class Api:
    """A running `logstats serve`."""

    def __init__(self, database_url: str) -> None:
        self._arguments = [COMMAND, "serve", "--database-url", database_url, "--port"]
        self.start()

    def start(self, port: int = 0) -> None:
        self._process = subprocess.Popen([*self._arguments, str(port)], stderr=subprocess.PIPE, text=True)
        assert self._process.stderr is not None
        found = re.match(r"(http://127\.0\.0\.1:([0-9]+)/)", self._process.stderr.readline())
        assert found
        self.url, self.port = found[1], int(found[2])
        httpx.get(f"{self.url}health", timeout=30).raise_for_status()

    def stop(self) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait(30)
        assert self._process.stderr is not None
        self._process.stderr.close()

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


@pytest.fixture(scope="session")
def full_database(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A database with the statistics of `log_lines`, from two files, and one that is no log."""
    url = server.create_database("page", template="migrated")
    folder = tmp_path_factory.mktemp("logs")
    lines = log_lines()
    half = len(lines) // 2
    for name, text in (
        ("first.log", "\n".join(lines[:half])),
        ("second.log", "\n".join(lines[half:])),
        ("table.parquet", "no log"),
    ):
        (folder / name).write_text(text, encoding="utf-8")
        subprocess.run(
            [COMMAND, "ingest", str(folder / name), "--database-url", url], check=True, timeout=120
        )
    return url


@pytest.fixture(scope="session")
def api(full_database: str) -> Iterator[Api]:
    running = Api(full_database)
    yield running
    running.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; without one the tests are skipped, or fail where REQUIRE_CHROMIUM says so.

    For one module at a time: while Playwright runs, its event loop does too, and asyncio.run() would fail in
    the tests of other modules.
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


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    context = chromium.new_context(viewport={"width": 1280, "height": 900}, locale="en-GB")
    context.set_default_timeout(10_000)
    yield context
    context.close()


@pytest.fixture
def page(context: BrowserContext) -> Iterator[Page]:
    """A page; an error in its script, or a breach of its policy, fails the test."""
    page = context.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("dialog", lambda dialog: wrong.append(dialog.message))
    page.on(
        "console",
        lambda message: wrong.append(message.text) if "Content Security Policy" in message.text else None,
    )
    yield page
    assert wrong == []


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where screenshots go: PAGE_PICTURES, or pytest's temporary folder."""
    folder = Path(os.environ.get("PAGE_PICTURES") or tmp_path_factory.mktemp("pictures"))
    folder.mkdir(parents=True, exist_ok=True)
    return folder
