"""The HTML page: one file, safe, drawn to scale, broken where the face is unknown."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fesnet._io import file_sha256
from fesnet._messages import format_clock, format_time
from fesnet.errors import UsageError
from fesnet.intervals import Interval
from fesnet.postprocess import IntervalRules
from fesnet.report import write_report
from fesnet.report.methods import format_rate
from fesnet.report.timeline_svg import MAX_POINTS, draw_curve_svg, draw_gap, max_pool
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
    facts = {
        "fesnet": "0",
        "weights": "some",
        "weights_sha256": "1f",
        "trained_on": "synthetic video only",
    }
    return assemble(
        source, tracks, times, RATE, IntervalRules(), warnings=("broke at 3 s",), provenance=facts
    )


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
    assert text.count('role="img"') == 4  # for paper, and where there are no scripts


def data_of(text: str) -> dict[str, Any]:
    """What the page's own script draws."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    assert found is not None
    values: dict[str, Any] = json.loads(found[1])
    return values


def random_result(seed: int, exclusive: bool) -> Spotting:
    """A minute of smooth random scores of both kinds, at thresholds below the references."""
    rng = np.random.default_rng(seed)
    raw = [np.convolve(rng.random(1800), np.ones(w) / w, "same") for w in (9, 15)]
    total, share = np.clip(raw[0] * 2.4 - 0.7, 0, 1), np.clip(raw[1] * 3 - 1, 0, 1)
    times = np.arange(1800) / RATE
    track = FaceTrack(0, times, np.column_stack([total * share, total * (1 - share)]), total)
    rules = IntervalRules(exclusive=exclusive).anchored()
    rules = rules.changed({"micro_threshold": 0.75, "macro_threshold": 0.6})
    return assemble(result().source, (track,), times, RATE, rules, warnings=(), provenance={})


@pytest.mark.parametrize("exclusive", [True, False])
def test_every_score_beside_a_curve_is_the_curve_s_value(exclusive: bool, tmp_path: Path) -> None:
    """Read off the page: cards, bars of the drawing, and the highest point of the curve below."""
    drawn_of = random_result(5, exclusive)
    text = page_of(drawn_of, tmp_path)
    data = data_of(text)
    track = data["tracks"][0]
    assert data["compared"] == ("sum" if exclusive else "kinds")
    cards = re.findall(r'class="kind (\w+)".*?score ([\d.]+),', text)
    assert len(cards) == len(data["intervals"]) > 10
    assert len(data["candidates"]) > 3
    for i in (*data["intervals"], *data["candidates"]):
        curve = track["sum"] if exclusive else track[i["kind"]]
        inside = [
            v
            for t, v in zip(track["times"], curve, strict=True)
            if i["onset_s"] - 1e-3 <= t <= i["offset_s"] + 1e-3
        ]
        assert max(inside) == pytest.approx(i["score"], abs=2e-4)
    for (kind, score), i in zip(cards, data["intervals"], strict=True):
        assert (kind, float(score)) == (i["kind"], pytest.approx(i["score"], abs=0.0051))
        assert i["score"] >= data["thresholds"][kind]
    assert all(i["score"] < data["thresholds"][i["kind"]] for i in data["candidates"])
    still = text.split("<noscript>")[0]
    levels = re.findall(r'class="level( faint)?".*?y1="([\d.]+)".*?<title>(\w+) ([\d.]+),', still)
    assert len(levels) == len(data["intervals"]) + len(data["candidates"])
    for _, y, _, score in levels:
        assert float(y) == pytest.approx(10 + 110 * (1 - float(score)), abs=0.65)
    drawn = dict(re.findall(r'<text class="small"[^>]*>(\w+) ([\d.]+)</text>', still))
    assert {kind: float(v) for kind, v in drawn.items()} == data["thresholds"]
    assert ('class="curve sum"' in still) == exclusive
    check_apexes_and_tracks(text, data, drawn_of)


def check_apexes_and_tracks(text: str, data: dict[str, Any], drawn_of: Spotting) -> None:
    """Apexes of cards and drawing lie within, where their face moves most; curves are scores."""
    (track,), (face,) = data["tracks"], drawn_of.faces
    for kind, column in (("macro", 0), ("micro", 1)):
        assert np.allclose(track[kind], face.scores[:, column], atol=6e-5)
    if "sum" in track:
        assert np.allclose(track["sum"], face.scores.sum(1), atol=6e-5)
    assert np.allclose(track["times"], face.times, atol=6e-5)
    apexes = re.findall(r"s long, apex ([\d.]+) s", text)
    assert len(apexes) == len(data["intervals"]) == len(drawn_of.intervals)
    for shown, i, made in zip(apexes, data["intervals"], drawn_of.intervals, strict=True):
        assert i["apex_s"] == made.apex_s and float(shown) == pytest.approx(made.apex_s, abs=0.0051)
        assert i["onset_s"] < i["apex_s"] < i["offset_s"]
        rows = slice(made.onset_frame, made.offset_frame + 1)
        at = face.intensity[made.apex_frame]
        assert at >= np.quantile(face.intensity[rows], 0.5)


def test_with_a_check_the_probability_is_drawn_and_named(tmp_path: Path) -> None:
    found = result()
    low = replace(found.intervals[1], score=0.31)
    made = (replace(found.intervals[0], score=0.82), low)
    checked = replace(found, candidates=made).rethreshold({"micro_threshold": 0.5})
    text = page_of(checked, tmp_path)
    data = data_of(text)
    assert data["compared"] == "check"
    assert [(i["kind"], i["score"]) for i in data["intervals"]] == [("macro", 0.82)]
    assert [(i["kind"], i["score"]) for i in data["candidates"]] == [("micro", 0.31)]
    assert "probability 0.82" in text and "score 0.8" not in text
    assert "frame score of macro (not compared)" in text
    assert 'class="curve sum"' not in text
    assert "probability that a coder would agree" in text


def test_marks_have_a_legend_rules_are_told_and_methods_are_ready(tmp_path: Path) -> None:
    text = page_of(result(), tmp_path, TRUTH)
    legends = re.findall(r'<ul class="legend".*?</ul>', text, re.S)
    assert len(legends) == 3  # on the screen, on paper, without scripts
    for word in ("threshold", "height of the bar", "what a lower one", "truth", "face unknown"):
        assert all(word in legend for legend in legends), word
    assert "apex" in legends[0] and "the part in view" in legends[0]
    rules = re.search(r'<table class="rules">.*?</table>', text, re.S)
    assert rules is not None and '<th scope="row">least score (threshold)</th><td>0.5' in rules[0]
    assert "sum of the frame scores" in text
    methods = re.search(r'id="methods">(.*?)</p>', text, re.S)
    assert methods is not None
    for fact in ("fesnet 0 ", "some (sha256 1f", "640 x 480", "360 frames", "12.00 s", "0.5"):
        assert fact in methods[1], fact
    assert "1 macro-expression and 1 micro-expression." in methods[1]


def test_times_beyond_a_minute_have_a_clock_beside_them(tmp_path: Path) -> None:
    found = result()
    times = found.frame_times + 75.0
    late = replace(
        found,
        frame_times=times,
        intervals=tuple(
            replace(i, onset_s=i.onset_s + 75, apex_s=i.apex_s + 75, offset_s=i.offset_s + 75)
            for i in found.intervals
        ),
        gaps=tuple(replace(g, start_s=g.start_s + 75, stop_s=g.stop_s + 75) for g in found.gaps),
    )
    text = page_of(late, tmp_path)
    assert "<strong>77.00-78.97 s (1:17.0-1:19.0)</strong>" in text
    assert "unknown from 84.00-84.97 s (1:24.0-1:25.0)" in text
    assert format_time(59.96) == "59.96 s"
    assert format_clock(3723.44) == "1:02:03.4"
    assert format_clock(59.96) == "1:00.0"


def test_names_cannot_break_out(tmp_path: Path) -> None:
    text = page_of(result("<script>alert(1)</script>&.mp4"), tmp_path)
    assert "<script>alert" not in text
    assert text.count("<script") == 2
    assert "&lt;script&gt;" in text


def test_the_data_cannot_end_its_script(tmp_path: Path) -> None:
    draw_gap = replace(result().gaps[0], reason="</script><b>")
    text = page_of(replace(result(), gaps=(draw_gap,)), tmp_path)
    assert text.count("</script>") == 2
    assert "\\u003c/script" in text


def test_it_says_what_was_found_and_where_it_came_from(tmp_path: Path) -> None:
    text = page_of(result(), tmp_path)
    numbers = re.findall(r"<dt>([^<]+)</dt><dd><span>([^<]+)</span> <small>([^<]*)</small>", text)
    assert numbers == [
        ("length", "12.00 s", ""),  # to the end of the last frame
        ("without a face", "1.00 s", "1 gap"),
        ("macro-expressions", "1", "5.5 a minute"),  # of the 11 s in which there is a face
        ("macro duration", "1.97 s", ""),  # of a single one there is no spread
        ("micro-expressions", "1", "5.5 a minute"),
        ("micro duration", "0.30 s", ""),
    ]
    assert "<dd>640 x 480, 30 frames a second" in text
    assert "<dd>some (sha256 1f)" in text
    assert "<strong>2.00-3.97 s</strong>" in text
    assert "unknown from 9.00-9.97 s" in text
    assert "broke at 3 s" in text
    assert "synthetic video only" in text
    assert "macro_threshold" in text


def test_rates_are_rounded_and_uneven_ones_told() -> None:
    even = result()
    source = replace(even.source, rate="519168/19667")
    assert format_rate(replace(even, source=source)) == "26.4"
    assert format_rate(replace(even, source=replace(source, rate="30000/1001"))) == "29.97"
    assert format_rate(replace(even, source=replace(source, rate=None))) == "unknown"
    uneven = np.where(np.arange(360) % 5, even.frame_times, even.frame_times - 0.01)
    assert format_rate(replace(even, source=source, frame_times=uneven)) == "about 26.4"
    rounded = np.round(even.frame_times, 3)  # as Matroska keeps them
    assert format_rate(replace(even, source=source, frame_times=rounded)) == "26.4"


def test_a_video_without_a_face_is_a_gap_and_no_number(tmp_path: Path) -> None:
    times = np.arange(360) / RATE
    source = SourceInfo("ramps.mp4", None, None, 640, 480, "30", 360, 12.0)
    none = assemble(source, (), times, RATE, IntervalRules(), warnings=(), provenance={})
    text = page_of(none, tmp_path)
    assert "<dt>without a face</dt><dd><span>12.00 s</span> <small>1 gap</small>" in text
    assert "<dt>macro-expressions</dt><dd><span>-</span> <small></small>" in text
    assert "a minute" not in text and "<p>No face was found.</p>" in text
    assert (
        text.count('class="gap"') == text.count('role="img"') == 2
    )  # on paper, and where there are no scripts
    one = page_of(result(), tmp_path)
    assert one.count('class="gap"') == 2 and "unknown 9.00-9.97 s" in one


def test_the_lines_of_a_gap_end_with_it() -> None:
    ends = re.findall(r"[ML]([\d.]+) ([\d.]+)", draw_gap(2.0, 4.0, 10.0))
    assert len(ends) > 4
    assert all(110 <= float(x) <= 130 and 10 <= float(y) <= 120 for x, y in ends)


def test_only_the_video_that_was_spotted_is_shown(tmp_path: Path) -> None:
    video, moved = tmp_path / "face.mp4", tmp_path / "moved.mp4"
    video.write_bytes(b"the right one")
    moved.write_bytes(b"the right one")
    info = replace(result().source, path=str(video), sha256=file_sha256(video))
    found = replace(result(), source=info)
    page = tmp_path / "r.html"
    write_report(found, page)
    assert "<video" in page.read_text()
    write_report(found, page, video=moved)
    assert "<video" in page.read_text()
    moved.write_bytes(b"somebody else")
    before = page.read_bytes()
    with pytest.raises(
        UsageError,
        match=r"expected face\.mp4 as it was spotted, got another file in .*moved\.mp4; name",
    ):
        write_report(found, page, video=moved)
    with pytest.raises(UsageError, match="got another file"):
        write_report(found, page, video=tmp_path)
    assert page.read_bytes() == before
    video.write_bytes(b"somebody else")
    assert (
        write_report(found, page)
        == f"no video, no pictures: {video} has changed since it was spotted"
    )
    text = page.read_text()
    assert "<video" not in text and "<img" not in text
    assert f"The video cannot be shown here: {video} has changed since it was spotted." in text
    video.unlink()
    assert (
        write_report(found, page)
        == f"no video, no pictures: the video is not where the result says ({video})"
    )


def test_found_and_true_bars_lie_to_scale(tmp_path: Path) -> None:
    text = page_of(result(), tmp_path, TRUTH)
    bars = re.findall(
        r'<rect x="([\d.]+)" y="(\d+)" width="([\d.]+)" [^>]*><title>(\w+)',
        text.split("<noscript>")[0],
    )
    assert [kind for *_, kind in bars] == ["macro", "micro"] * 2
    left = [float(x) for x, *_ in bars]
    assert left[0] == pytest.approx(90 + 2.0 / 12 * 1000, abs=1)
    assert left[1] == pytest.approx(90 + 200 / 30 / 12 * 1000, abs=1)
    assert left[2] < left[0] and left[3] == pytest.approx(left[1])
    assert len({y for _, y, *_ in bars}) == 4


def test_truth_longer_than_the_video_is_drawn_to_its_end(tmp_path: Path) -> None:
    text = page_of(
        replace(result(), intervals=()),
        tmp_path,
        (Interval(300, 999, "macro"), Interval(900, 950, "micro")),
    )
    assert text.split("<noscript>")[0].count('rx="3" fill') == 2


def test_without_truth_and_intervals(tmp_path: Path) -> None:
    nothing = replace(result(), intervals=(), gaps=(), warnings=())
    text = page_of(nothing, tmp_path)
    assert "No expression was found" in text
    assert "Gaps and warnings" not in text
    assert ">truth<" not in text and 'rx="3" fill' not in text
    assert page_of(replace(nothing, faces=()), tmp_path).count('role="img"') == 0


def test_curves_break_where_the_face_is_unknown_and_keep_short_peaks() -> None:
    found = result()
    track = found.faces[0]
    assert draw_curve_svg(track.times, track.scores[:, 0], "macro", 10.0).count("M") == 2
    long = np.zeros(20 * MAX_POINTS)
    long[777] = 1.0
    assert max_pool(long, 20).max() == 1.0
    assert len(max_pool(long, 20)) == MAX_POINTS
    np.testing.assert_array_equal(
        max_pool(np.array([np.nan, np.nan, np.nan, 0.4, 0.1]), 2), [np.nan, 0.4, 0.1]
    )


def test_a_very_short_result_can_be_drawn(tmp_path: Path) -> None:
    short = result()
    track = FaceTrack(0, np.zeros(1), np.full((1, 2), 0.1), np.zeros(1))
    one = assemble(
        short.source, (track,), np.zeros(1), RATE, short.rules, warnings=(), provenance={}
    )
    assert 'role="img"' in page_of(one, tmp_path)


def test_a_report_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="name a writable folder"):
        write_report(result(), tmp_path / "missing" / "r.html")
    assert list(tmp_path.iterdir()) == []
