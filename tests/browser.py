"""A real browser for tests of pages: Debian's Chromium or Google's Chrome, where one is
installed.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def program() -> str:
    """The browser; skips the test where there is none."""
    pytest.importorskip("playwright", reason="needs the extra dev")
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip("needs Chromium or Chrome on this machine")
    return found


@contextmanager
def opened_page(width: int = 1280, **options: Any) -> Iterator[Any]:
    """A page whose errors and requests to elsewhere fail the test."""
    executable = program()
    from playwright.sync_api import sync_playwright

    troubles: list[str] = []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=executable)
        try:
            page = browser.new_context(
                viewport={"width": width, "height": 900}, **options
            ).new_page()
            page.on("pageerror", lambda error: troubles.append(str(error)))
            page.on(
                "console", lambda said: troubles.append(said.text) if said.type == "error" else None
            )
            page.on(
                "request", lambda asked: None if local(asked.url) else troubles.append(asked.url)
            )
            yield page
        finally:
            browser.close()
    assert not troubles, troubles


def local(url: str) -> bool:
    return url.startswith(("file:", "data:", "blob:", "about:", "http://127.0.0.1:"))


def until(page: Any, what: str) -> None:
    """Wait for a JavaScript expression to be true. (Playwright's own waiting is forbidden by the
    pages' policy.)
    """
    for _ in range(200):
        if page.evaluate(what):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"not true within 10 s: {what}")
