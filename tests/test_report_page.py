"""The report in a real browser: it plays, it follows, it jumps, and an hour of it stays quick."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from browser import opened_page, until
from fesnet import Spotting
from fesnet.demo import found_intervals
from fesnet.postprocess import IntervalRules
from fesnet.report import write_report
from fesnet.report.pictures import take_pictures
from fesnet.result import FaceTrack, SourceInfo, assemble
from fesnet.video.folder import source_sha256
from made_results import observed_result

RATE = 30.0


def spotted(video: Path, seconds: float, name: str = "face.mp4") -> Spotting:
    """A macro at 0.4-1.1 s and a micro at 1.2-1.4 s, then one macro each 20 s, of made-up
    scores.
    """
    ticks = int(seconds * RATE)
    scores = np.full((ticks, 2), 0.05)
    scores[12:34, 0], scores[36:42, 1] = 0.9, 0.8
    for start in range(600, ticks - 60, 600):
        scores[start : start + 45, 0] = 0.8
    times = np.arange(ticks) / RATE
    checksum = source_sha256(video) if video.exists() else "0" * 64
    source = SourceInfo(name, str(video), checksum, 320, 240, "25", None, seconds)
    track = FaceTrack(0, times, scores, np.zeros(ticks))
    frames = np.arange(int(seconds * 25)) / 25
    return assemble(source, (track,), frames, RATE, IntervalRules(), warnings=(), provenance={})


@pytest.fixture(scope="module")
def playable(face_frames: list[np.ndarray], tmp_path_factory: pytest.TempPathFactory) -> Path:
    from video_files import write_video

    return write_video(
        tmp_path_factory.mktemp("report") / "face.mp4",
        face_frames,
        codec="libx264",
        pixels="yuv420p",
    )


def test_pictures_show_the_face_and_its_change(face_models: object, playable: Path) -> None:
    found = spotted(playable, 1.6)
    assert [i.kind for i in found_intervals(found)] == ["macro", "micro"]
    pictures = take_pictures(found, playable)
    assert sorted(pictures) == [0, 1]
    assert all(p is not None and p[:2] == b"\xff\xd8" for p in vars(pictures[0]).values())


def test_report_plays_follows_and_jumps(
    browser: Any, face_models: object, playable: Path, tmp_path: Path
) -> None:
    write_report(spotted(playable, 1.6), tmp_path / "r.html")
    with opened_page(browser) as page:
        page.goto((tmp_path / "r.html").as_uri())
        until(page, "document.querySelector('video').readyState >= 2")
        assert page.locator(".card img").count() == 8
        box = page.locator(".ft-main").bounding_box()
        page.mouse.click(
            box["x"] + 58 + 0.75 * (box["width"] - 58), box["y"] + 60
        )  # three quarters of 1.6 s
        assert page.evaluate("document.querySelector('video').currentTime") == pytest.approx(
            1.2, abs=0.05
        )
        page.locator(".ft-main").press("Home")
        page.locator(".ft-main").press("]")
        assert page.locator(".card[aria-current=true]").get_attribute("data-id") == "0"
        assert page.evaluate("fesnetTimeline.time") == pytest.approx(0.4, abs=0.05)
        page.get_by_role("button", name="go to 1.20 seconds").click()
        assert page.evaluate("fesnetTimeline.selected") == 1
        page.evaluate(
            "(() => { const v = document.querySelector('video'); v.currentTime = 0; return "
            "v.play(); })()"
        )
        until(page, "fesnetTimeline.time > 0.3")


def test_a_video_that_is_gone_is_said_so(browser: Any, playable: Path, tmp_path: Path) -> None:
    write_report(replace(spotted(tmp_path / "gone.mp4", 1.6)), tmp_path / "r.html")
    with opened_page(browser) as page:
        page.goto((tmp_path / "r.html").as_uri())
        assert (
            "The video cannot be shown here: the video is not where the result says"
            in page.inner_text("main")
        )
        assert "No pictures" in page.inner_text("main")
        page.locator(".ft-main").press("ArrowRight")
        assert page.evaluate("fesnetTimeline.time") == pytest.approx(0.1)


# Share of the columns of a canvas in which something is drawn.
DRAWN = """(canvas) => {
  const { width, height } = canvas;
  const pixels = canvas.getContext("2d").getImageData(0, 0, width, height).data;
  const alphas = (x) => Array.from({ length: height }, (_, y) => pixels[4 * (y * width + x) + 3]);
  const drawn = (x) => alphas(x).some((alpha) => alpha > 60);
  return Array.from({ length: width }, (_, x) => drawn(x)).filter(Boolean).length / width;
}"""


def test_scores_of_a_short_video_are_a_line_in_the_overview(browser: Any, tmp_path: Path) -> None:
    write_report(replace(spotted(tmp_path / "gone.mp4", 1.6), intervals=()), tmp_path / "r.html")
    with opened_page(browser) as page:
        page.goto((tmp_path / "r.html").as_uri())
        until(page, "fesnetTimeline.overviewBackground.width > 0")
        assert (
            page.evaluate(f"({DRAWN})(fesnetTimeline.overviewBackground)") > 0.95
        )  # 48 ticks on about 1200 pixels


def test_a_video_without_a_face_shows_its_gap(browser: Any, tmp_path: Path) -> None:
    found = spotted(tmp_path / "gone.mp4", 1.6)
    none = assemble(
        found.source, (), found.frame_times, RATE, found.rules, warnings=(), provenance={}
    )
    write_report(none, tmp_path / "r.html")
    with opened_page(browser) as page:
        page.goto((tmp_path / "r.html").as_uri())
        until(page, "fesnetTimeline.overviewBackground.width > 0")
        assert page.evaluate(f"({DRAWN})(fesnetTimeline.overviewBackground)") > 0.9
        assert page.evaluate("fesnetTimeline.rows().rows.map((row) => row.face)") == [0]
        assert page.evaluate(f"({DRAWN})(fesnetTimeline.background)") > 0.9


@pytest.mark.parametrize("width", [1000, 1100, 1200])
def test_numbers_do_not_wrap(browser: Any, width: int, tmp_path: Path) -> None:
    found = spotted(tmp_path / "gone.mp4", 60)
    write_report(found, tmp_path / "r.html")
    with opened_page(browser, width) as page:
        page.goto((tmp_path / "r.html").as_uri())
        for box in page.locator(".numbers dd > *").all():
            lines = box.evaluate(
                "e => { const r = document.createRange(); "
                "r.selectNodeContents(e); return new Set("
                "[...r.getClientRects()].map((x) => Math.round(x.top))).size; }"
            )
            assert lines <= 1, box.text_content()
        assert page.evaluate(
            "[...document.querySelectorAll('.numbers div')].every((e) => e.scrollWidth <= "
            "e.clientWidth)"
        )


def test_large_videos_are_linked(browser: Any, playable: Path, tmp_path: Path) -> None:
    beside = tmp_path / "a b.mp4"
    beside.write_bytes(playable.read_bytes())
    write_report(spotted(beside, 1.6), tmp_path / "r.html", embed=0)
    assert 'src="a%20b.mp4"' in (tmp_path / "r.html").read_text(encoding="utf-8")
    with opened_page(browser, color_scheme="dark") as page:
        page.goto((tmp_path / "r.html").as_uri())
        until(page, "document.querySelector('video').readyState >= 1")


def test_zoom_keeps_the_point_under_the_mouse(browser: Any, playable: Path, tmp_path: Path) -> None:
    write_report(spotted(tmp_path / "gone.mp4", 3600), tmp_path / "r.html")
    with opened_page(browser) as page:
        page.goto((tmp_path / "r.html").as_uri())
        box = page.locator(".ft-main").bounding_box()
        x, y = box["x"] + 58 + 0.25 * (box["width"] - 58), box["y"] + 60
        page.mouse.click(x, y)
        page.mouse.wheel(0, -600)
        until(page, "fesnetTimeline.view[1] - fesnetTimeline.view[0] < 1000")
        start, stop = page.evaluate("fesnetTimeline.view")
        assert start + 0.25 * (stop - start) == pytest.approx(900, abs=2)
        page.locator(".ft-main").press("0")
        assert page.evaluate("fesnetTimeline.view") == [0, pytest.approx(3600, abs=0.1)]


def test_filters_hide_expressions_and_lanes_show_what_else_happened(
    browser: Any, tmp_path: Path
) -> None:
    result = observed_result(blink=True)
    write_report(result, tmp_path / "r.html")
    with opened_page(browser) as page:
        page.goto((tmp_path / "r.html").as_uri())
        until(page, "window.fesnetTimeline")
        assert (
            "lip corner pulled up (AU 12) left, .88" in page.locator(".card .context").inner_text()
        )
        badges = page.locator(".card .badge").all_inner_texts()
        assert badges == ["blink", "face comes or goes"]
        height = page.evaluate("fesnetTimeline.rows().height")
        page.check('input[data-flag="blink"][data-what="shown"]')
        lanes = page.evaluate("fesnetTimeline.rows().rows[0].lanes")
        assert [(lane["name"], len(lane["spans"])) for lane in lanes] == [("blink", 1)]
        assert page.evaluate("fesnetTimeline.rows().height") > height
        page.check('input[data-flag="blink"][data-what="hidden"]')
        assert page.locator(".card:visible").count() == 0
        assert page.evaluate("fesnetTimeline.data.intervals.length") == 0
        assert "1 of 1 expressions hidden" in page.locator(".fc-told").inner_text()
        page.emulate_media(media="print")
        assert page.locator(".card:visible").count() == 1  # paper holds all
        page.emulate_media(media="screen")
        page.uncheck('input[data-flag="blink"][data-what="hidden"]')
        assert page.locator(".card:visible").count() == 1


def test_a_result_without_observations_has_no_filters(browser: Any, tmp_path: Path) -> None:
    write_report(replace(observed_result(), observations=()), tmp_path / "r.html")
    with opened_page(browser) as page:
        page.goto((tmp_path / "r.html").as_uri())
        until(page, "window.fesnetTimeline")
        assert page.locator("#context *").count() == 0
        assert page.locator(".context, .badge").count() == 0
    assert "Facial Action" not in (tmp_path / "r.html").read_text(encoding="utf-8")
