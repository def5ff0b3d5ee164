"""The review page in a real browser: Debian's chromium, driven by Playwright."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from browser import new_page, until
from fesnet.exports.elan_reader import read_elan
from fesnet.review.server import ReviewServer
from made_results import bump, motions_of, seen_of
from review_server import made_spotting, make_work, program, serving, wait_for
from video_files import pictures, write_video

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.usefixtures("no_page_error")


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_work(tmp_path_factory.mktemp("ready") / "work")


@pytest.fixture
def work(ready: Path, tmp_path: Path) -> Path:
    return shutil.copytree(ready, tmp_path / "work")


def show(page: Page, address: str) -> Page:
    """The page at an address, with its one video open."""
    page.goto(address)
    page.wait_for_selector("#rows tr")
    until(page, "document.querySelector('video').readyState >= 2")
    return page


@pytest.fixture(scope="module")
def running(
    browser: Browser, ready: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[ReviewServer, Page]]:
    """One server and one window for many tests; starting them takes longer than they do."""
    with serving([shutil.copytree(ready, tmp_path_factory.mktemp("running") / "work")]) as (
        _,
        served,
    ):
        yield served, new_page(browser)


@pytest.fixture
def served(running: tuple[ReviewServer, Page], work: Path) -> ReviewServer:
    """That server, on this test's folder."""
    served, _ = running
    served.library.folder = work.resolve()
    served.library.videos.clear()
    served.library.scan()
    return served


@pytest.fixture
def page(running: tuple[ReviewServer, Page], served: ReviewServer) -> Page:
    """That window, as new."""
    _, window = running
    window.goto("about:blank")
    show(window, served.address)
    window.evaluate("localStorage.clear()")
    return window


def rows(page: Page) -> list[list[str]]:
    """kind, onset, offset, by of each row."""
    return [[cells[i] for i in (1, 2, 3, 5)] for cells in page.eval_on_selector_all(
        "#rows tr", "all => all.map(row => [...row.cells].map(cell => cell.textContent))"
    )]  # fmt: skip


def wait_saved(page: Page, revision: int, work: Path) -> None:
    """Until the page says that it is saved, and the file has that many edits."""
    wait_for(lambda: count_edits(work) >= revision)
    until(page, "/^saved \\d\\d:\\d\\d:\\d\\d$/.test(document.querySelector('#saved').textContent)")
    assert count_edits(work) == revision


def count_edits(work: Path) -> int:
    """How many edits are kept; the file is there from the first on, always whole."""
    kept = work / "small.review.json"
    return len(json.loads(kept.read_text(encoding="utf-8"))["journal"]) if kept.exists() else 0


def place(page: Page, seconds: float, lane: str = "macro") -> tuple[float, float]:
    """Where on the screen a time of the timeline is; the whole video (4 s) is in view."""
    page.locator(".ft-main").scroll_into_view_if_needed()
    box = page.locator(".ft-main").bounding_box()
    left, ruler, height = page.evaluate(
        "[FesnetTimeline.LEFT, FesnetTimeline.RULER, FesnetTimeline.LANE]"
    )
    down = {
        "curve": ruler + 40,
        "macro": ruler + 96 + height / 2,
        "micro": ruler + 96 + 1.5 * height,
    }[lane]
    assert box is not None
    return box["x"] + left + seconds / 3.96 * (box["width"] - left), box["y"] + down


def drag(
    page: Page, start: tuple[float, float], stop: tuple[float, float], key: str | None = None
) -> None:
    if key:
        page.keyboard.down(key)
    page.mouse.move(*start)
    page.mouse.down()
    page.mouse.move((start[0] + stop[0]) / 2, start[1], steps=3)
    page.mouse.move(stop[0], start[1], steps=3)
    page.mouse.up()
    if key:
        page.keyboard.up(key)


def now(page: Page) -> float:
    return float(page.evaluate("document.querySelector('video').currentTime"))


def test_load_play_and_seek_from_the_timeline(page: Page) -> None:
    assert "token" not in page.url
    assert [r[0] for r in rows(page)] == ["■ macro", "◆ micro"]
    page.keyboard.press(" ")
    until(page, "document.querySelector('video').currentTime > 0.3")
    page.keyboard.press(" ")
    assert page.evaluate("document.querySelector('video').paused")
    page.mouse.click(*place(page, 3.0, "curve"))
    until(page, "Math.abs(document.querySelector('video').currentTime - 3) < 0.06")
    until(page, "!document.querySelector('video').seeking")
    page.keyboard.press("ArrowRight")  # the timeline has the focus: still one frame
    until(page, "!document.querySelector('video').seeking")
    frame = int(str(page.text_content("#clock")).split()[-1])
    page.keyboard.press("ArrowLeft")
    until(page, f"document.querySelector('#clock').textContent.endsWith('frame {frame - 1}')")


def test_a_frame_shown_is_the_frame_told(page: Page) -> None:
    for _ in range(7):
        page.keyboard.press("ArrowRight")
    until(page, "Math.abs(document.querySelector('video').currentTime - 7.5 / 25) < 0.001")
    until(page, "document.querySelector('#clock').textContent === '0.280 s · frame 7'")


def test_sliders_change_intervals_at_once_and_lose_no_correction(page: Page, work: Path) -> None:
    page.keyboard.press("n")
    page.keyboard.press("c")  # the macro is checked
    wait_saved(page, 1, work)
    slider = page.locator("#macro_threshold")
    slider.focus()
    slider.evaluate("e => { e.value = 0.3; e.dispatchEvent(new Event('input')); }")
    until(page, "document.querySelectorAll('#rows tr').length === 3")  # before it is let go
    assert len(json.loads((work / "small.review.json").read_text(encoding="utf-8"))["journal"]) == 1
    slider.evaluate("e => e.dispatchEvent(new Event('change'))")
    wait_saved(page, 2, work)
    assert len(rows(page)) == 3
    slider.evaluate(
        "e => { e.value = 1; e.dispatchEvent(new Event('input')); e.dispatchEvent(new "
        "Event('change')); }"
    )
    until(page, "document.querySelectorAll('#rows tr').length === 2")
    wait_saved(page, 3, work)
    assert rows(page)[0][0] == "■ macro"  # checked by a person: it stays


def test_drag_an_edge_undo_redo_and_reload(page: Page, work: Path) -> None:
    before = rows(page)
    onset = float(before[0][1])
    drag(page, place(page, onset), place(page, 0.2))
    wait_saved(page, 1, work)
    moved = rows(page)
    assert abs(float(moved[0][1]) - 0.2) < 0.05
    assert moved[0][2] == before[0][2]
    page.keyboard.press("Control+z")
    until(page, f"document.querySelector('#rows td:nth-child(3)').textContent === '{before[0][1]}'")
    wait_saved(page, 2, work)
    page.keyboard.press("Control+Shift+Z")
    redone = f"document.querySelector('#rows td:nth-child(3)').textContent === '{moved[0][1]}'"
    until(page, redone)
    wait_saved(page, 3, work)
    page.reload()
    page.wait_for_selector("#rows tr")
    until(page, redone)
    assert rows(page) == moved
    assert page.is_enabled("#undo")


def test_everything_by_keys(page: Page, work: Path) -> None:
    page.keyboard.press("n")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("i")
    wait_saved(page, 1, work)
    assert float(rows(page)[0][1]) == pytest.approx(0.72)
    page.keyboard.press("u")
    wait_saved(page, 2, work)
    assert rows(page)[0][0] == "◆ micro"
    page.keyboard.press("0")
    for _ in range(5):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Shift+ArrowLeft")
    page.keyboard.press("Shift+M")  # at 2.96 s
    wait_saved(page, 3, work)
    assert rows(page)[2] == ["■ macro", "2.960", "3.960", rows(page)[2][3]]
    page.keyboard.press("Delete")
    wait_saved(page, 4, work)
    assert len(rows(page)) == 2


def test_shift_and_drag_adds_and_the_form_edits(page: Page, work: Path) -> None:
    page.fill("#who", "Zoë")
    page.dispatch_event("#who", "change")
    drag(page, place(page, 3.0, "curve"), place(page, 3.3, "curve"), "Shift")
    wait_saved(page, 1, work)
    assert rows(page)[2][0] == "◆ micro"  # under half a second
    page.fill("#offset", "3.8")
    page.keyboard.press("Tab")
    wait_saved(page, 2, work)
    page.fill("#note", "brow, <b>not</b> lips")
    page.keyboard.press("Tab")
    wait_saved(page, 3, work)
    kept = json.loads((work / "small.review.json").read_text(encoding="utf-8"))["intervals"][2]
    assert (kept["offset_s"], kept["note"], kept["by"]) == (3.8, "brow, <b>not</b> lips", "Zoë")
    page.keyboard.press("n")  # letters typed in a field are text, outside of it they are keys
    assert page.input_value("#note") != "n"


def test_export_downloads_a_file_that_a_reader_opens(
    page: Page, work: Path, tmp_path: Path
) -> None:
    pympi = pytest.importorskip("pympi")
    page.keyboard.press("n")
    page.keyboard.press("Delete")
    wait_saved(page, 1, work)
    page.select_option("#format", "eaf")
    with page.expect_download() as waiting:
        page.click("#export")
    assert waiting.value.suggested_filename == "small.review.eaf"
    file = tmp_path / "got.eaf"
    waiting.value.save_as(file)
    opened = pympi.Elan.Eaf(str(file))
    found = {name: opened.get_annotation_data_for_tier(name) for name in opened.get_tier_names()}
    assert [len(found[f"face 0 {kind}"]) for kind in ("macro", "micro")] == [0, 1]
    assert [f.kind for f in read_elan(file).found] == ["micro"]


def test_agreement_is_shown_of_what_was_looked_at(page: Page, work: Path) -> None:
    until(page, "document.querySelector('#agreement').textContent.includes('Looked at: 0')")
    page.keyboard.press("n")
    page.keyboard.press("Delete")
    wait_saved(page, 1, work)
    until(page, "document.querySelector('#agreement').textContent.includes('Looked at: 1 moment')")
    assert "1 proposal is not looked at" in page.inner_text("#agreement")
    assert page.locator("#agreement table").count() == 0
    for n in range(4):
        page.keyboard.press("Shift+U")
        wait_saved(page, 2 + n, work)
        page.keyboard.press("Shift+ArrowRight")
    page.wait_for_selector("#agreement table")
    cells = page.eval_on_selector_all(
        "#agreement tbody tr", "all => all.map(r => [...r.cells].map(c => c.textContent))"
    )
    assert cells[0] == ["macro", "0", "0", "1", "0.00"]


def test_two_windows_do_not_overwrite_each_other(page: Page, work: Path) -> None:
    other = page.context.new_page()
    other.goto(page.url.split("#")[0])
    other.wait_for_selector("#rows tr")
    other.evaluate("window.setTimeout = () => 0")  # it does not look what happens elsewhere
    page.keyboard.press("n")
    page.keyboard.press("Delete")
    wait_saved(page, 1, work)
    other.keyboard.press("n")
    other.keyboard.press("c")
    until(
        other, "document.querySelector('#errors').textContent.includes('changed in another window')"
    )
    until(other, "document.querySelector('#saved').textContent === 'not saved'")
    wait_for(lambda: rows(other) == rows(page))
    assert len(json.loads((work / "small.review.json").read_text(encoding="utf-8"))["journal"]) == 1
    other.close()


def test_the_machine_s_version_can_be_seen_and_not_changed(page: Page, work: Path) -> None:
    page.keyboard.press("n")
    page.keyboard.press("Delete")
    wait_saved(page, 1, work)
    page.check("input[value=machine]")
    wait_for(lambda: len(rows(page)) == 2)
    page.keyboard.press("n")
    page.keyboard.press("Delete")
    until(page, "document.querySelector('#errors').textContent.includes('only to look at')")
    page.check("input[value=person]")
    wait_for(lambda: len(rows(page)) == 1)


def test_what_is_no_video_is_told_in_the_page(page: Page, work: Path, tmp_path: Path) -> None:
    notes = tmp_path / "notes.mp4"
    notes.write_text("dear diary\n" * 50, encoding="utf-8")
    page.set_input_files("#pick", notes)
    until(
        page,
        "document.querySelector('#errors').textContent"
        ".includes('cannot open notes.mp4 as a video')",
    )
    assert not (work / "notes.mp4").exists()


def test_a_killed_server_is_told_and_its_edits_are_there_again(
    browser: Browser, work: Path
) -> None:
    with program(work) as (process, address):
        page = show(new_page(browser), address)
        page.keyboard.press("n")
        page.keyboard.press("u")
        wait_saved(page, 1, work)
        process.kill()
        process.wait()
        page.keyboard.press("Delete")
        until(page, "document.querySelector('#saved').textContent === 'not saved'")
        until(page, "document.querySelector('#errors').textContent.includes('does not answer')")
        wait_for(lambda: len(rows(page)) == 2)  # what is shown is what is saved
        kept = rows(page)
        page.context.close()
    with serving([work]) as (_, served):
        again = show(new_page(browser), served.address)
        wait_for(lambda: rows(again) == kept)
        again.context.close()


def test_a_format_that_browsers_do_not_play_gets_a_copy(
    page: Page, served: ReviewServer, work: Path
) -> None:
    (work / "small.mp4").unlink()
    write_video(work / "small.avi", pictures(100), codec="mpeg4")
    made_spotting(name="small.avi").to_json(work / "small.json")
    served.library.videos.clear()
    page.goto("about:blank")
    page.goto(served.address)
    page.wait_for_selector("#novideo button")
    page.keyboard.press("ArrowRight")  # everything else works
    page.click("#novideo button")
    until(page, "document.querySelector('video').readyState >= 2")
    wait_for(lambda: page.is_hidden("#novideo"))
    until(page, "Math.abs(document.querySelector('video').currentTime - 1.5 / 25) < 0.001")


@pytest.mark.parametrize(
    "size", [(1280, 800), (1920, 1080), (640, 400)]
)  # the last: 200 % of the first
def test_nothing_is_cut_off(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    try:
        assert page.evaluate("document.documentElement.scrollWidth") <= size[0]
        hidden: Any = page.evaluate(
            """[...document.querySelectorAll('button, input, select, textarea')].filter(e =>
            e.checkVisibility()
               && e.id !== 'pick' && !e.closest('.hidden, .tablebox') &&
               (e.getBoundingClientRect().right > innerWidth
               || e.scrollWidth > e.clientWidth + 2)).map(e => e.id || e.textContent)"""
        )
        assert hidden == []
        unnamed: Any = page.evaluate(
            """[...document.querySelectorAll('input, select, textarea')].filter(e =>
            !e.labels?.length
               && !e.ariaLabel).map(e => e.id)"""
        )
        assert unnamed == []
    finally:
        page.set_viewport_size({"width": 1280, "height": 800})


def test_unknown_scores_and_a_second_face_are_drawn(
    page: Page, served: ReviewServer, work: Path
) -> None:
    found = made_spotting()
    (track,) = found.faces
    scores = track.scores.copy()
    scores[50:60] = np.nan
    unknown = replace(track, scores=scores, intensity=np.where(np.isnan(scores[:, 0]), np.nan, 1.0))
    replace(found, faces=(unknown, replace(track, face=1))).to_json(work / "small.json")
    page.goto("about:blank")
    show(page, served.address)
    until(page, "document.querySelector('.ft-main').clientHeight > 250")  # two rows


def test_what_moved_stands_in_the_list_and_a_filter_hides(browser: Browser, work: Path) -> None:
    """Flags filter the page alone; nothing is saved."""
    values = json.loads((work / "small.json").read_text(encoding="utf-8"))
    motions = {"mouthSmile_L": bump(120, 18, 42), "eyeBlink": 1.2 * bump(120, 28, 34)}
    seen = seen_of(motions_of(120, **motions))
    values["observations"] = [seen.to_dict()]
    (work / "small.json").write_text(json.dumps(values), encoding="utf-8")
    with serving([work]) as (_, served):
        page = show(new_page(browser), served.address)
        page.wait_for_selector("#rows tr.more")
        assert "lip corner pulled up (AU 12) left" in page.inner_text("#rows tr.more")
        assert page.locator("#rows tr.more .badge").all_inner_texts()[:1] == ["blink"]
        page.keyboard.press("n")
        assert "AU 12" in page.inner_text("#chosencontext")
        page.check('input[data-flag="blink"][data-what="shown"]')
        assert page.locator("#context .badge").first.inner_text() == "blink"
        page.check('input[data-flag="blink"][data-what="hidden"]')
        until(page, "document.querySelectorAll('#rows tr:not(.more)').length === 1")
        assert "1 of 2 expressions hidden" in page.inner_text(".fc-told")
        page.keyboard.press("n")
        assert page.inner_text("#chosenname").startswith("Chosen: micro")
        assert not (work / "small.review.json").exists()
