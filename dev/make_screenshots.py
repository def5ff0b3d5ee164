"""Make all pictures of report and review in docs/images.

    python dev/make_screenshots.py               runs the demo first, in a temporary folder
    python dev/make_screenshots.py fesnet-demo   uses the files of an earlier `fesnet demo`

Needs chromium and the packages of the extra `dev`.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import uvicorn
from playwright.sync_api import Browser, Page, sync_playwright

from fesnet import Spotting
from fesnet.demo import run_demo
from fesnet.report import write_report
from fesnet.review.server import ServerOptions, prepare_server

IMAGES = Path(__file__).parents[1] / "docs" / "images"
SIZE = {"width": 1280, "height": 800}
COLOUR_STEP = 12  # of 256 levels: a third of the bytes, and no visible difference at this size


def main(demo: Path | None) -> None:
    with tempfile.TemporaryDirectory() as name, sync_playwright() as playwright:
        folder = Path(name)
        if demo is None:
            demo = folder / "demo"
            run_demo(demo, lambda share: None)
        executable, arguments = shutil.which("chromium"), ["--no-sandbox"]
        browser = playwright.chromium.launch(executable_path=executable, args=arguments)
        capture_report(browser, demo, folder)
        capture_review(browser, demo, folder / "review")
        browser.close()


def open_page(browser: Browser, address: str, scheme: str = "light") -> Page:
    """A window of SIZE that shows the address. scheme: "light" or "dark"."""
    page = browser.new_page(viewport=SIZE, color_scheme=scheme)  # type: ignore[arg-type]
    page.set_default_timeout(120_000)
    page.goto(address)
    return page


def capture_report(browser: Browser, demo: Path, folder: Path) -> None:
    """report-page.png: the top of the report; report-cards.png: its cards, in dark colours."""
    path = folder / "demo.html"
    write_report(Spotting.from_json(demo / "demo.json"), path, video=demo / "demo.mp4")
    for name, scheme in (("report-page.png", "light"), ("report-cards.png", "dark")):
        page = open_page(browser, path.as_uri(), scheme)
        page.locator(".card button").first.click()
        page.wait_for_timeout(2000)  # until the video shows the frame
        page.evaluate("scrollTo(0, 0)")
        page.wait_for_timeout(500)
        part = page.locator(".cards") if name == "report-cards.png" else page
        save_picture(part.screenshot(), IMAGES / name)


def capture_review(browser: Browser, demo: Path, folder: Path) -> None:
    """review.png: the review page after some edits."""
    folder.mkdir()
    for name in ("demo.mp4", "demo.json"):
        shutil.copy(demo / name, folder)
    with review_address(folder) as address:
        page = open_page(browser, address)
        page.wait_for_selector("#rows tr")
        make_edits(page)
        save_picture(page.screenshot(), IMAGES / "review.png")


@contextmanager
def review_address(folder: Path) -> Iterator[str]:
    """The address of a review server of the folder, which runs in a thread."""
    review = prepare_server([folder], ServerOptions())
    server = uvicorn.Server(uvicorn.Config(review.app, log_level="warning"))
    sockets = {"sockets": [review.handle]}
    thread = threading.Thread(target=server.run, kwargs=sockets, daemon=True)
    thread.start()
    yield review.address
    server.should_exit = True
    thread.join(5)


def make_edits(page: Page) -> None:
    """Two expressions checked, one made longer and noted."""
    page.fill("#who", "anna")
    page.locator("#who").blur()
    for keys in ("nc", "nc", "n"):
        for key in keys:
            page.keyboard.press(key)
            wait_until_saved(page)
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("i")
    wait_until_saved(page)
    page.fill("#note", "brow first, then lips")
    page.locator("#note").blur()
    wait_until_saved(page)
    page.evaluate(
        "document.querySelector('#folder').textContent = 'results in /home/anna/study/results'"
    )
    time.sleep(2)


def wait_until_saved(page: Page) -> None:
    while page.text_content("#saved") == "saving …":
        time.sleep(0.05)
    time.sleep(0.3)


def save_picture(png: bytes, target: Path) -> None:
    """Write the picture with fewer colours and the highest compression."""
    image = np.asarray(cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR))
    levels = np.rint(image / COLOUR_STEP) * COLOUR_STEP + 3
    target.parent.mkdir(exist_ok=True)
    few = np.clip(levels, 0, 255).astype(np.uint8)
    cv2.imwrite(str(target), few, [cv2.IMWRITE_PNG_COMPRESSION, 9])
    print(f"wrote {target}, {target.stat().st_size // 1000} kB")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        sys.exit("expected at most one argument, the demo's folder")
    main(Path(sys.argv[1]) if len(sys.argv) == 2 else None)
