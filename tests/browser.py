"""A real browser for tests of pages: Debian's Chromium or Google's Chrome, where one is
installed. Each file of tests starts it once.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = ["--no-sandbox", "--disable-dev-shm-usage", "--mute-audio"]
WAIT_S = 120.0  # at most, for anything; two browsers on two busy cores are slow
ERRORS: list[str] = []  # of all pages by `new_page`


def program() -> str:
    """The browser; skips the test where there is none."""
    pytest.importorskip("playwright", reason="needs the extra dev")
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("needs Chromium or Chrome on this machine")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """One browser for all tests of a file; starting it takes longer than most of them."""
    executable = program()
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        started = play.chromium.launch(
            executable_path=executable, args=OPTIONS, timeout=1000 * WAIT_S
        )
        yield started
        started.close()


@pytest.fixture
def no_page_error() -> Iterator[None]:
    """Fails a test in which a page by `new_page` had an error."""
    ERRORS.clear()
    yield
    assert not ERRORS, ERRORS


def new_page(browser: Any, width: int = 1280, height: int = 800) -> Any:
    """A window of its own, to be closed by who asked for it; for pages of servers, whose console
    also tells what the server refuses. See `no_page_error`."""
    return watched_page(browser, ERRORS, {"width": width, "height": height}, console=False)


@contextmanager
def opened_page(browser: Any, width: int = 1280, **options: Any) -> Iterator[Any]:
    """A window of its own, whose errors and requests to elsewhere fail the test."""
    troubles: list[str] = []
    size = {"width": width, "height": 900}
    page = watched_page(browser, troubles, size, console=True, **options)
    try:
        yield page
    finally:
        page.context.close()
    assert not troubles, troubles


def watched_page(
    browser: Any, troubles: list[str], size: dict[str, int], *, console: bool, **options: Any
) -> Any:
    """A window whose errors go to `troubles`, and its requests to elsewhere. console: whether the
    errors of its console are some."""
    page = browser.new_context(viewport=size, **options).new_page()
    page.set_default_timeout(1000 * WAIT_S)

    def hear(said: Any) -> None:
        if console and said.type == "error":
            troubles.append(said.text)

    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("console", hear)
    page.on("request", lambda asked: None if local(asked.url) else troubles.append(asked.url))
    return page


def local(url: str) -> bool:
    return url.startswith(("file:", "data:", "blob:", "about:", "http://127.0.0.1:"))


def until(page: Any, what: str, seconds: float = WAIT_S) -> None:
    """Wait for a JavaScript expression to be true. (Playwright's own waiting is forbidden by the
    pages' policy.)
    """
    end = time.monotonic() + seconds
    while not page.evaluate(what):
        assert time.monotonic() < end, f"not true within {seconds:g} s: {what}"
        page.wait_for_timeout(20)
