"""A real browser: fixtures for the tests that drive one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
RESULTS = Path(__file__).parents[1] / "test-results"

# A machine may be slow or busy: what is waited for comes or it doesn't, and how fast is no test's business.
expect.set_options(timeout=30_000)


def chromium() -> str | None:
    """Return the browser named by GPUPERF_BROWSER, or one on the PATH; ``None``: Playwright's own."""
    names = (os.environ.get("GPUPERF_BROWSER"), "chromium", "chromium-browser", "google-chrome")
    return next((path for name in names if name and (path := shutil.which(name))), None)


@pytest.fixture(autouse=True)
def jp_asyncio_loop() -> None:
    """Playwright brings a loop of its own: no other may run beside it."""


@pytest.fixture(autouse=True)
def jp_server_cleanup() -> None:
    """The servers here are processes of their own; nothing is left in this one."""


# Not for the whole session: while it lives, no test elsewhere could run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium: the one named by GPUPERF_BROWSER, one on the PATH, or Playwright's own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, request) -> Iterator[Callable[..., Page]]:
    """Open a page in a fresh profile; keep a picture of it when the test fails."""
    contexts = []

    def open_page(url: str, *, width: int = 1440, height: int = 1000, **options) -> Page:
        context = browser.new_context(viewport={"width": width, "height": height}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(30_000)
        page.goto(url)
        return page

    yield open_page
    for context in contexts:
        if getattr(request.node, "failed", False):
            RESULTS.mkdir(exist_ok=True)
            for index, page in enumerate(context.pages):
                page.screenshot(path=RESULTS / f"{request.node.name}-{index}.png")
        context.close()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.when == "call":
        item.failed = report.failed
    return report
