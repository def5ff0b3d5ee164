"""The coding tools of the review page in a real browser: one start for all of them."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from browser import WAIT_S, new_page, until
from fesnet.report import write_report
from fesnet.review.face_path import save_paths
from review_server import BUMPS, made_spotting, serving, wait_for
from test_playable import write_beep
from test_review_coding import rate
from test_review_page import rows
from video_files import pictures, write_video

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.usefixtures("no_page_error")

PLAYER = "document.querySelector('video')"


def opened(browser: Browser, address: str) -> Page:
    page = new_page(browser)
    page.goto(address)
    until(page, "!document.querySelector('#workplace').hidden")
    return page


def bright(page: Page, canvas: str) -> float:
    """The mean brightness of a canvas, 0 to 255."""
    return float(
        page.evaluate(
            "id => { const c = document.getElementById(id); const d = c.getContext('2d')"
            ".getImageData(0, 0, c.width, c.height).data; return d.filter((_, k) => k % 4 < 3)"
            ".reduce((a, b) => a + b, 0) / (d.length * 0.75); }",
            canvas,
        )
    )


def test_sound_loop_speed_zoom_pictures_and_hints(browser: Browser, tmp_path: Path) -> None:
    write_beep(tmp_path / "small.mp4", "libx264", 4.0)  # black, and white from 1 s on
    found = made_spotting()
    found.to_json(tmp_path / "small.json")
    (tmp_path / ".playable").mkdir()
    path = np.array([[t, 32.0, 24.0, 0.0, 20.0] for t in np.arange(0, 4, 0.1)])
    save_paths({0: path}, found, tmp_path / ".playable" / "small.faces.json")
    with serving([tmp_path]) as (_, served):
        page = opened(browser, served.address)
        until(page, f"{PLAYER}.readyState >= 2")
        press = page.keyboard.press
        press("v")
        assert not page.evaluate(f"{PLAYER}.muted")
        for key, speed in (("4", 0.25), ("2", 0.5), ("1", 1)):
            press(key)
            assert page.evaluate(f"{PLAYER}.playbackRate") == speed
        press("n")  # the macro, 0.64 to 1.36 s
        onset, offset = (float(rows(page)[0][k]) for k in (1, 2))
        wait_for(lambda: bright(page, "thumb-offset") > 235)  # cut out: no black beside it
        assert bright(page, "thumb-onset") < 20
        page.evaluate(
            f"window.seen = []; {PLAYER}.addEventListener('seeking', "
            f"() => window.seen.push({PLAYER}.currentTime))"
        )
        press("r")  # looped: it comes back to the onset, and never passes the offset by far
        until(page, "window.seen.length >= 3")
        again = page.evaluate("window.seen")
        assert all(abs(time - onset) < 0.05 for time in again[1:])
        assert page.evaluate(f"{PLAYER}.currentTime") < offset + 1.5  # of 2.6 s behind it
        for key, speed in (("2", 0.5), ("4", 0.25), ("1", 1)):  # and it goes on, at any speed
            press(key)
            page.evaluate("window.seen = []")
            until(page, "window.seen.length >= 1")
            assert page.evaluate(f"{PLAYER}.playbackRate") == speed
            assert all(abs(time - onset) < 0.05 for time in page.evaluate("window.seen"))
        press("r")
        assert page.evaluate(f"{PLAYER}.paused")
        page.evaluate(
            "const bar = document.getElementById('seekbar'); bar.value = 3;"
            "bar.dispatchEvent(new Event('input'))"
        )
        until(page, f"Math.abs({PLAYER}.currentTime - 3.02) < 0.05")
        press("z")
        until(page, f"!{PLAYER}.seeking && !document.getElementById('zoom').hidden")
        wait_for(lambda: bright(page, "zoomcanvas") > 235)  # the face lies in it
        assert page.is_hidden("#hint")
        press("u")
        until(page, "!document.getElementById('hint').hidden")
        assert "long for a micro" in str(page.text_content("#hint"))
        press("f")
        until(page, "document.fullscreenElement?.id === 'watch'")
        press("f")
        until(page, "!document.fullscreenElement")
        page.context.close()


def test_a_phone_s_video_is_told_before_it_is_black_and_gets_a_copy(
    browser: Browser, tmp_path: Path
) -> None:
    write_video(tmp_path / "small.mp4", pictures(25), codec="libx265", pixels="yuv420p10le")
    made_spotting(seconds=1.0, bumps=((0, 0.5, 0.2, 0.9),)).to_json(tmp_path / "small.json")
    with serving([tmp_path]) as (_, served):
        page = opened(browser, served.address)
        until(page, "document.querySelector('#novideo button') !== null")
        assert "HEVC" in str(page.text_content("#novideo"))
        assert "HEVC" in str(page.text_content("#videos"))
        assert page.evaluate(f"{PLAYER}.error === null")  # the browser was not asked to try
        page.click("#novideo button")
        until(page, f"{PLAYER}.readyState >= 2")
        assert page.is_visible("video")
        assert (tmp_path / ".playable" / "small.mp4").is_file()
        page.context.close()


def test_the_list_finds_and_goes_on_and_a_third_person_decides(
    browser: Browser, tmp_path: Path
) -> None:
    for name in ("a", "b", "small"):
        made_spotting(bumps=()).to_json(tmp_path / f"{name}.json")
    (tmp_path / "study.csv").write_text(
        "result,participant\na,P01\nb,P02\nsmall,P03\n", encoding="utf-8"
    )
    rate(tmp_path, "anna", [("macro", 1.0, 2.0), ("macro", 2.4, 3.0)], done=True)
    rate(tmp_path, "ben", [("macro", 1.04, 2.0), ("micro", 3.2, 3.5)], done=True)
    with serving([tmp_path]) as (_, served):
        page = opened(browser, served.address)
        until(page, "location.hash === '#a'")  # the first that is not reviewed
        wait_for(lambda: marks(page) == ["not reviewed"] * 3)
        page.keyboard.press("d")
        until(page, "document.getElementById('reviewed').textContent === '1 of 3 reviewed'")
        wait_for(lambda: marks(page) == ["reviewed", "not reviewed", "not reviewed"])
        page.fill("#find", "p03")
        until(page, "document.querySelectorAll('#videos li').length === 1")
        page.fill("#find", "")
        page.check("#openonly")
        until(page, "document.querySelectorAll('#videos li').length === 2")
        page.locator("#title").click()
        page.keyboard.press("Shift+N")
        until(page, "location.hash === '#b'")
        page.keyboard.press("Shift+N")
        until(page, "document.querySelectorAll('#ratermoments tr').length === 2")
        told = "document.querySelector('#ratercount').textContent"
        until(page, f"{told}.includes('3 moments: 1 agree, 2 differ')")
        page.click("#ratermoments tr:nth-child(1) td:nth-child(2) button")  # anna's macro
        until(page, "document.querySelectorAll('#rows tr').length === 1")
        until(page, "document.querySelectorAll('#ratermoments tr.settled').length === 1")
        wait_for(lambda: rows(page)[0][:2] == ["■ macro", "2.400"])
        page.context.close()
    with serving([tmp_path], blind="cleo") as (_, served):
        page = opened(browser, served.address)
        assert page.is_hidden("#agreementbox")
        assert page.is_hidden(".sliders")
        assert page.input_value("#who") == "cleo"
        page.context.close()


def test_an_answer_about_a_video_that_was_left_changes_nothing(
    browser: Browser, tmp_path: Path
) -> None:
    """An edit that is saved late, and videos that come late after another was chosen."""
    made_spotting().to_json(tmp_path / "a.json")
    made_spotting(bumps=BUMPS[:1]).to_json(tmp_path / "b.json")
    made_spotting(bumps=()).to_json(tmp_path / "c.json")
    with serving([tmp_path]) as (_, served):
        page = opened(browser, served.address)
        until(page, "document.querySelectorAll('#rows tr').length === 2")
        frames, edits = held(page, "**/api/videos/b/frames"), held(page, "**/edits")
        page.evaluate("location.hash = '#b'")
        page.wait_for_timeout(50)
        wait_for_held(page, frames)
        page.keyboard.press("n")
        page.keyboard.press("Delete")  # of a, which is still shown
        wait_for_held(page, edits)
        frames.pop().continue_()
        until(page, "document.title.startsWith('small.mp4') && location.hash === '#b'")
        until(page, "document.querySelectorAll('#rows tr').length === 1")
        edits.pop().continue_()
        until(page, "document.querySelector('#saved').textContent.startsWith('saved ')")
        assert len(rows(page)) == 1
        assert (tmp_path / "a.review.json").is_file()
        assert not (tmp_path / "b.review.json").exists()
        page.keyboard.press("n")
        page.keyboard.press("c")
        wait_for_held(page, edits)
        assert "/b/edits" in edits[0].request.url
        edits.pop().continue_()
        wait_for(lambda: (tmp_path / "b.review.json").is_file())
        page.unroute("**/edits")
        page.evaluate("location.hash = '#a'")
        until(page, "document.querySelectorAll('#rows tr').length === 1 && location.hash === '#a'")
        frames = held(page, "**/api/videos/b")
        page.evaluate("location.hash = '#b'")
        wait_for_held(page, frames)
        page.evaluate("location.hash = '#c'")
        until(page, "document.querySelectorAll('#rows tr').length === 0")
        frames.pop().continue_()
        page.wait_for_timeout(300)
        assert page.evaluate("location.hash") == "#c"
        assert rows(page) == []
        page.context.close()


def test_a_late_answer_does_not_undo_what_was_edited_meanwhile(
    browser: Browser, tmp_path: Path
) -> None:
    """The state of before an edit, and a preview of before it, come after the edit is saved."""
    made_spotting().to_json(tmp_path / "a.json")
    with serving([tmp_path]) as (_, served):
        page = opened(browser, served.address)
        until(page, "document.querySelectorAll('#rows tr').length === 2")
        states = held(page, "**/api/videos/a")
        page.keyboard.press("n")
        page.keyboard.press("Delete")
        until(page, "document.querySelectorAll('#rows tr').length === 1")
        wait_for_held(page, states)  # asked for by the page, as the file has changed
        old = states[0].fetch()
        page.keyboard.press("Control+z")
        until(page, "document.querySelectorAll('#rows tr').length === 2")
        states[0].fulfill(response=old)
        page.wait_for_timeout(300)
        assert len(rows(page)) == 2
        wait_for(lambda: page.is_enabled("#redo"))
        page.unroute("**/api/videos/a")

        previews = held(page, "**/preview*")
        page.evaluate(
            "{ const slider = document.querySelector('.sliders input');"
            "slider.value = slider.max; slider.dispatchEvent(new Event('input')); }"
        )
        wait_for_held(page, previews)
        old = previews[0].fetch()
        page.keyboard.press("n")
        page.keyboard.press("c")
        until(page, "!document.querySelector('#undo').title.startsWith('nothing')")
        until(page, "document.querySelector('#saved').textContent.startsWith('saved ')")
        before = rows(page)
        previews[0].fulfill(response=old)
        page.wait_for_timeout(300)
        assert rows(page) == before
        page.context.close()


def test_an_edit_draws_only_the_rows_that_it_changed(browser: Browser, tmp_path: Path) -> None:
    """Laying out hundreds of rows takes longer than the edit."""
    made_spotting().to_json(tmp_path / "a.json")
    with serving([tmp_path]) as (_, served):
        page = opened(browser, served.address)
        until(page, "document.querySelectorAll('#rows tr').length === 2")
        page.evaluate("for (const row of document.querySelectorAll('#rows tr')) row.old = true")
        page.keyboard.press("n")
        page.keyboard.press("c")
        until(page, "document.querySelector('#rows td').textContent === '✓'")
        old = "[...document.querySelectorAll('#rows tr')].map((row) => row.old === true)"
        assert page.evaluate(old) == [False, True]
        before = rows(page)
        page.keyboard.press("Delete")
        until(page, "document.querySelectorAll('#rows tr').length === 1")
        page.keyboard.press("Control+z")
        until(page, "document.querySelectorAll('#rows tr').length === 2")
        assert rows(page) == before
        assert page.evaluate(old) == [False, True]
        page.context.close()


def marks(page: Page) -> list[str]:
    """How far each video of the list is."""
    return [
        str(mark.get_attribute("aria-label"))
        for mark in page.query_selector_all("#videos .progress")
    ]


def test_counts_in_the_list_and_figures_of_two_raters(browser: Browser, tmp_path: Path) -> None:
    """Kappa and F1 are of what both looked at: each missed one of the other's six."""
    made_spotting().to_json(tmp_path / "small.json")
    spans = [("macro", 0.2 + 0.5 * k, 0.5 + 0.5 * k) for k in range(7)]
    rate(tmp_path, "anna", spans[:6], done=True)
    rate(tmp_path, "ben", spans[1:], done=True)
    with serving([tmp_path]) as (_, served):
        page = opened(browser, served.address)
        until(page, "document.querySelector('#videos small') !== null")
        assert page.text_content("#videos small") == "1 macro, 1 micro, 2 to check"
        page.keyboard.press("n")
        page.keyboard.press("c")
        until(page, "document.querySelector('#videos small').textContent.endsWith('1 to check')")
        wait_for(lambda: marks(page) == ["begun"])
        until(page, "document.querySelector('#raterfigures').textContent.includes('kappa')")
        figures = str(page.text_content("#raterfigures"))
        assert figures.startswith("F1 0.83 of 7 moments that both looked at, Cohen")
        kappa = float(figures.rstrip(".").split()[-1])
        assert 0.6 < kappa < 0.9
        page.context.close()
    with serving([tmp_path], blind="cleo") as (_, served):
        page = opened(browser, served.address)
        assert rows(page) == []  # neither the machine's nor the others'
        assert "1 macro" not in str(page.text_content("#videos"))
        assert page.is_hidden("#ratersbox")
        page.context.close()


def test_a_report_of_a_phone_s_video_is_not_black_without_a_word(
    browser: Browser, tmp_path: Path
) -> None:
    write_video(tmp_path / "small.mp4", pictures(25), codec="libx265", pixels="yuv420p10le")
    found = made_spotting(seconds=1.0, bumps=((0, 0.5, 0.2, 0.9),))
    page = new_page(browser)
    for convert in (False, True):
        written = tmp_path / f"{convert}.html"
        write_report(found, written, video=tmp_path / "small.mp4", convert=convert)
        page.goto(written.as_uri())
        if convert:
            until(page, f"{PLAYER}.readyState >= 2")
        else:
            assert "open small.mp4" in str(page.text_content("body"))
            assert page.evaluate(f"{PLAYER}?.readyState ?? 0") == 0
    page.context.close()


def held(page: Page, pattern: str) -> list[Any]:
    """Requests that go on when they are told to."""
    waiting: list[Any] = []
    page.route(pattern, lambda route: waiting.append(route))
    return waiting


def wait_for_held(page: Page, waiting: list[Any]) -> None:
    end = time.monotonic() + WAIT_S
    while not waiting:
        assert time.monotonic() < end, "expected a request, got none"
        page.wait_for_timeout(25)
