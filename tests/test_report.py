"""The HTML page: one file, safe, drawn to scale, broken where the face is unknown."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from fesnet.errors import UsageError
from fesnet.intervals import Interval, IntervalRules
from fesnet.report import write_report
from fesnet.report.drawing import POINTS, curve, pooled
from fesnet.result import FaceTrack, SourceInfo, Spotting, assemble

RATE = 30.0
VOID = {"meta", "br", "link", "img"}
TRUTH = (Interval(58, 118, "macro"), Interval(200, 209, "micro"))


def result(name: str = "face.mp4", faces: int = 1) -> Spotting:
    """12 s with a macro, a micro and a second in which the face is unknown."""
    scores = np.full((360, 2), 0.05)
    scores[60:120, 0], scores[200:210, 1], scores[270:300] = 0.8, 0.7, np.nan
    times = np.arange(360) / RATE
    tracks = tuple(FaceTrack(n, times, scores, np.zeros(360)) for n in range(faces))
    source = SourceInfo(name, f"/videos/{name}", "0" * 64, 640, 480, "30", 360, 12.0)
    facts = {"fesnet": "0", "weights": "some", "weights_sha256": "1f", "trained_on": "synthetic video only"}
    return assemble(source, tracks, times, RATE, IntervalRules(), warnings=("broke at 3 s",), provenance=facts)


def page_of(found: Spotting, path: Path, truth: tuple[Interval, ...] = ()) -> str:
    write_report(found, path / "r.html", truth=truth)
    return (path / "r.html").read_text(encoding="utf-8")


class Balance(HTMLParser):
    """Checks that every element is closed in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.links += [str(value) for name, value in attrs if name in ("src", "href")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        return

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_loads_nothing(tmp_path: Path) -> None:
    text = page_of(result(faces=2), tmp_path, TRUTH)
    reader = Balance()
    reader.feed(text)
    assert reader.open == []
    assert reader.links == []
    assert "http:" not in text and "https:" not in text and "import(" not in text
    assert "default-src 'none'" in text
    assert text.count("<svg") == 4  # for paper, and where there are no scripts


def test_names_cannot_break_out(tmp_path: Path) -> None:
    text = page_of(result("<script>alert(1)</script>&.mp4"), tmp_path)
    assert "<script>alert" not in text
    assert text.count("<script") == 2
    assert "&lt;script&gt;" in text


def test_the_data_cannot_end_its_script(tmp_path: Path) -> None:
    gap = replace(result().gaps[0], reason="</script><b>")
    text = page_of(replace(result(), gaps=(gap,)), tmp_path)
    assert text.count("</script>") == 2
    assert "\\u003c/script" in text


def test_it_says_what_was_found_and_where_it_came_from(tmp_path: Path) -> None:
    text = page_of(result(), tmp_path)
    assert "<dt>macro-expressions</dt><dd>1 <small>5.5 a minute" in text  # of the 11 s in which there is a face
    assert "<strong>2.00-3.97 s</strong>" in text
    assert "unknown from 9.00 to 9.97 s" in text
    assert "broke at 3 s" in text
    assert "synthetic video only" in text
    assert "macro_threshold" in text


def test_found_and_true_bars_lie_to_scale(tmp_path: Path) -> None:
    text = page_of(result(), tmp_path, TRUTH)
    bars = re.findall(r'<rect x="([\d.]+)" y="(\d+)" width="([\d.]+)".*?<title>(\w+)', text.split("<noscript>")[0])
    assert [kind for *_, kind in bars] == ["macro", "micro"] * 2
    left = [float(x) for x, *_ in bars]
    assert left[0] == pytest.approx(90 + 2.0 / 11.967 * 1000, abs=1)
    assert left[1] == pytest.approx(90 + 200 / 30 / 11.967 * 1000, abs=1)
    assert left[2] < left[0] and left[3] == pytest.approx(left[1])
    assert len({y for _, y, *_ in bars}) == 4


def test_truth_longer_than_the_video_is_drawn_to_its_end(tmp_path: Path) -> None:
    text = page_of(
        replace(result(), intervals=()), tmp_path, (Interval(300, 999, "macro"), Interval(900, 950, "micro"))
    )
    assert text.split("<noscript>")[0].count("<rect") == 2


def test_without_truth_and_intervals(tmp_path: Path) -> None:
    nothing = replace(result(), intervals=(), gaps=(), warnings=())
    text = page_of(nothing, tmp_path)
    assert "No expression was found" in text
    assert "Gaps and warnings" not in text
    assert ">truth<" not in text and "<rect" not in text
    assert page_of(replace(nothing, faces=()), tmp_path).count("<svg") == 0


def test_curves_break_where_the_face_is_unknown_and_keep_short_peaks() -> None:
    found = result()
    assert curve(found.faces[0], 0, "macro", 10.0).count("M") == 2
    long = np.zeros(20 * POINTS)
    long[777] = 1.0
    assert pooled(long, 20).max() == 1.0
    assert len(pooled(long, 20)) == POINTS
    np.testing.assert_array_equal(pooled(np.array([np.nan, np.nan, np.nan, 0.4, 0.1]), 2), [np.nan, 0.4, 0.1])


def test_a_very_short_result_can_be_drawn(tmp_path: Path) -> None:
    short = result()
    track = FaceTrack(0, np.zeros(1), np.full((1, 2), 0.1), np.zeros(1))
    one = assemble(short.source, (track,), np.zeros(1), RATE, short.rules, warnings=(), provenance={})
    assert "<svg" in page_of(one, tmp_path)


def test_a_report_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name a writable folder"):
        write_report(result(), tmp_path / "missing" / "r.html")
    assert list(tmp_path.iterdir()) == []
