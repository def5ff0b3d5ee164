"""Make docs/images/report-*.png from the demo: `fesnet demo`, then `python dev/make_screenshots.py
fesnet-demo`.

Needs chromium and the packages of the extra `dev`. The demo's folder stays as it is.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from make_review_screenshot import shrink
from playwright.sync_api import Browser, sync_playwright

from fesnet import Spotting
from fesnet.report import write_report

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZE = {"width": 1280, "height": 800}


def main(demo: Path) -> None:
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as play:
        page = Path(folder) / "demo.html"
        write_report(Spotting.from_json(demo / "demo.json"), page, video=demo / "demo.mp4")
        browser = play.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        shoot(browser, page, "light", None, IMAGES / "report-page.png")
        shoot(browser, page, "dark", ".cards", IMAGES / "report-cards.png")
        browser.close()


def shoot(browser: Browser, page: Path, scheme: str, part: str | None, target: Path) -> None:
    """What a window shows of the page at its top, or only its `part`."""
    opened = browser.new_page(viewport=SIZE, color_scheme=scheme)  # type: ignore[arg-type]
    opened.set_default_timeout(120_000)
    opened.goto(page.as_uri())
    opened.locator(".card button").first.click()
    opened.wait_for_timeout(2000)  # until the video shows the frame
    opened.evaluate("scrollTo(0, 0)")
    opened.wait_for_timeout(500)
    shrink(opened.screenshot() if part is None else opened.locator(part).screenshot(), target)
    print(f"wrote {target}, {target.stat().st_size // 1000} kB")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(
            "expected one argument, the demo's folder: python dev/make_screenshots.py fesnet-demo"
        )
    main(Path(sys.argv[1]))
