"""The demo: animate a public-domain portrait, spot the video, compare the result with the truth.

The portrait is NASA's of astronaut Eileen Collins (public domain), the one that scikit-image
carries as `astronaut`.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

import numpy as np

from fesnet._guard import replacing
from fesnet._io import is_result, make_writable_folder
from fesnet._types import ShareCallback
from fesnet.batch import write_results
from fesnet.exports import check_results
from fesnet.interval_algebra import frame_interval
from fesnet.intervals import Interval
from fesnet.report import write_report
from fesnet.result import Spotting
from fesnet.spotter import Spotter
from fesnet.synth.render.avatar import Avatar, make_avatar
from fesnet.synth.render.portraits import FaceFinder
from fesnet.synth.videos.demo_video import RATE, demo_script, encode_script, write_truth
from fesnet.video import Frame, Source
from fesnet.video.folder import read_image

AVATAR_PIXELS = 420  # size of the avatar's picture; the face in the photo has no more detail


@dataclass(frozen=True)
class DemoOutcome:
    """rows: kind, truth, found as, found, overlap; summary: one line; report: the HTML page."""

    rows: list[tuple[str, ...]]
    summary: str
    report: Path


def demo_avatar() -> Avatar:
    """The bundled portrait as an avatar."""
    with as_file(files("fesnet") / "assets" / "portrait.jpg") as path:
        photo = read_image(path)
    points = FaceFinder().landmarks(photo)
    if points is None:
        raise RuntimeError("the bundled portrait has no face: the installation is damaged")
    return make_avatar("portrait", photo, points, pixels=AVATAR_PIXELS)


def run_demo(folder: Path, report: ShareCallback, *, force: bool = False) -> DemoOutcome:
    """Write demo.mp4, truth.csv, demo.json, demo.csv and demo.html into `folder`. Raises
    TargetError where one of them is a person's file (`force` replaces it)."""
    make_writable_folder(folder)
    targets = [folder / name for name in ("demo.mp4", "truth.csv", "demo.html")]
    check_results(folder / "demo.json", force=force)
    ours = is_result(folder / "demo.json")  # of an earlier demo, which kept no record
    with replacing(*targets, force=force, known=lambda _: ours):
        return make_demo(folder, report, force=force)


def make_demo(folder: Path, report: ShareCallback, *, force: bool) -> DemoOutcome:
    """The files of `run_demo`."""
    script, video = demo_script(), folder / "demo.mp4"
    done = 0

    def report_rendering() -> None:
        nonlocal done
        done += 1
        report(0.6 * done / len(script))

    encode_script(demo_avatar(), script, video, on_frame=report_rendering)
    write_truth(folder / "truth.csv", video.name, script.events)

    def report_spotting(frame: Frame, _: Source) -> None:
        report(0.6 + 0.4 * (frame.index + 1) / len(script))

    found = Spotter().spot(video, progress=report_spotting)
    write_results(found, folder / "demo.json", force=force)
    page = folder / "demo.html"
    write_report(found, page, truth=script.events)
    return DemoOutcome(
        compare_with_truth(script.events, found), summarize_comparison(script.events, found), page
    )


def found_intervals(found: Spotting) -> list[Interval]:
    """The result's intervals on source frames, half-open."""
    return [frame_interval(i) for i in found.intervals]


def compare_with_truth(truth: tuple[Interval, ...], found: Spotting) -> list[tuple[str, ...]]:
    """A row for each true event with the found one that overlaps it most; then rows of the rest."""
    spotted, used = found_intervals(found), set()
    rows: list[tuple[str, ...]] = []
    for event in truth:
        best = max(range(len(spotted)), key=lambda i: event.iou(spotted[i]), default=None)
        if best is None or event.iou(spotted[best]) == 0:
            rows.append((event.kind, format_interval(event), "missed", "", ""))
            continue
        used.add(best)
        match = spotted[best]
        rows.append(
            (
                event.kind,
                format_interval(event),
                match.kind,
                format_interval(match),
                f"{event.iou(match):.2f}",
            )
        )
    rows += [
        ("", "", s.kind, format_interval(s), "no truth")
        for i, s in enumerate(spotted)
        if i not in used
    ]
    return rows


def format_interval(interval: Interval) -> str:
    """Onset and offset in seconds of the demo video."""
    return f"{interval.start / RATE:.2f}-{(interval.stop - 1) / RATE:.2f}"


def summarize_comparison(truth: tuple[Interval, ...], found: Spotting) -> str:
    """One line: how many true events were found with the right kind and IoU >= 0.5."""
    spotted = found_intervals(found)
    overlap = np.array([[t.iou(s) >= 0.5 and t.kind == s.kind for s in spotted] for t in truth])
    hits = int(overlap.any(1).sum()) if overlap.size else 0
    return (
        f"{hits} of {len(truth)} events found with the right kind and IoU >= 0.5, "
        f"{len(spotted)} intervals in all; synthetic video, weights trained on synthetic video only"
    )
