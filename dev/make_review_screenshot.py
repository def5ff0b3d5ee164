"""Make docs/images/review.png from the demo: `fesnet demo`, then `python
dev/make_review_screenshot.py fesnet-demo`.

Needs chromium and the packages of the extra `dev`. The demo's folder stays as it is.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import uvicorn
from playwright.sync_api import Page, sync_playwright

from fesnet.review.server import ServerOptions, prepare_server

TARGET = Path(__file__).parents[1] / "docs" / "images" / "review.png"
SIZE = {"width": 1280, "height": 800}
STEPS = 12  # of brightness to each colour: a third of the bytes, and no eye sees it at this size


def main(demo: Path) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name in ("demo.mp4", "demo.json"):
            shutil.copy(demo / name, folder)
        served = prepare_server([Path(folder)], ServerOptions())
        server = uvicorn.Server(uvicorn.Config(served.app, log_level="warning"))
        thread = threading.Thread(
            target=server.run, kwargs={"sockets": [served.handle]}, daemon=True
        )
        thread.start()
        with sync_playwright() as api:
            browser = api.chromium.launch(
                executable_path=shutil.which("chromium"), args=["--no-sandbox"]
            )
            page = browser.new_page(viewport=SIZE, color_scheme="light")
            page.set_default_timeout(120_000)
            page.goto(served.address)
            page.wait_for_selector("#rows tr")
            work(page)
            shrink(page.screenshot(), TARGET)
            browser.close()
        server.should_exit = True
        thread.join(5)
    print(f"wrote {TARGET}, {TARGET.stat().st_size // 1000} kB")


def work(page: Page) -> None:
    """What somebody would have done so far: two checked, one made longer and noted."""
    page.fill("#who", "anna")
    page.locator("#who").blur()
    for keys in ("nc", "nc", "n"):
        for key in keys:
            page.keyboard.press(key)
            settle(page)
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    page.keyboard.press("i")
    settle(page)
    page.fill("#note", "brow first, then lips")
    page.locator("#note").blur()
    settle(page)
    page.evaluate(
        "document.querySelector('#folder').textContent = 'results in /home/anna/study/results'"
    )
    time.sleep(2)


def settle(page: Page) -> None:
    while page.text_content("#saved") == "saving …":
        time.sleep(0.05)
    time.sleep(0.3)


def shrink(png: bytes, target: Path) -> None:
    """Fewer shades, most compression."""
    image = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR)
    fewer = np.clip(np.rint(image / STEPS) * STEPS + 3, 0, 255).astype(np.uint8)
    target.parent.mkdir(exist_ok=True)
    cv2.imwrite(str(target), fewer, [cv2.IMWRITE_PNG_COMPRESSION, 9])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
