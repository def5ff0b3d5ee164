"""Finds as published systems ship them, in forms of their own.

    mdmd     results_API/ME2_macro_txtClips/p1/s15_0101.txt: "onset offset score", a file a video
    lgsnet   OUTPUT/subject_s15/test_detection/test_07.txt: video, onset, offset, score by tabs,
             a file for each subject and epoch
    log      of the challenges of 2020 and 2021 (`challenge_log`), a section for each data set

Frames are counted from 1, both ends inside. What a script drops before it counts is dropped here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fesnet._io import read_text_file
from fesnet._messages import in_utf8
from fesnet.errors import TruthError, UsageError
from fesnet.intervals import Interval, Kind
from fesnet.metrics.challenge_log import read_challenge_log
from fesnet.metrics.matching import count_hit_truths, overall
from fesnet.metrics.protocols import VideoResult
from fesnet.metrics.video_ids import VideoId, VideoIndex, find_video

# MDMD's names of data sets, and the lengths in frames that its script keeps of each kind.
MDMD_SETS: dict[str, tuple[str, dict[Kind, tuple[int, int]]]] = {
    "casme2": ("ME2", {"micro": (7, 16), "macro": (17, 10**9)}),
    "samm": ("SAMM_MEGC", {"micro": (47, 105), "macro": (106, 10**9)}),
}
LGSNET_MOST = 14  # finds of a video that LGSNet's script counts, the surest first
LGSNET_MICRO = 15  # from first to last frame: what is longer is a macro-expression
LGSNET_THRESHOLDS = tuple(t / 1000 for t in range(300, 500))  # that its script tries
LGSNET_FIRST_EPOCH = 5  # its script leaves out the five files before


@dataclass(frozen=True)
class ShippedFind:
    """onset, offset: frames from 1, both inside."""

    video: str
    kind: Kind
    onset: int
    offset: int
    score: float = 1.0

    def row(self) -> tuple[str, str, int, int, float]:
        """As a row below `HEADER`."""
        return self.video, self.kind, self.onset, self.offset, self.score


HEADER = ("video", "kind", "onset_frame", "offset_frame", "score")


def read_lines(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Where a line stands and its cells, divided by blanks or tabs. Raises TruthError."""
    try:
        text = read_text_file(path)
    except (OSError, UnicodeDecodeError) as error:
        raise TruthError(in_utf8(path, error)) from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip():
            yield f"{path} line {number}", line.split()


def parse_find(cells: Sequence[str], where: str) -> tuple[int, int, float]:
    """Onset, offset and score; fractions of frames are cut off, as the scripts do."""
    try:
        onset, offset, score = (float(c) for c in cells)
        return int(onset), int(offset), score
    except (ValueError, OverflowError):
        raise TruthError(
            f"expected an onset, an offset and a score in {where}, got {' '.join(cells)[:100]}"
        ) from None


def read_mdmd(folder: Path, dataset: str, run: int = 1) -> list[ShippedFind]:
    """MDMD's finds of both kinds. folder: its `results_API`; dataset: a name in MDMD_SETS; run: its
    parameter p.

    Raises UsageError where there are none, TruthError for lines that are no finds.
    """
    if dataset not in MDMD_SETS:
        raise UsageError(f"expected a data set out of {', '.join(MDMD_SETS)}, got {dataset!r}")
    name, lengths = MDMD_SETS[dataset]
    out = []
    for kind, (shortest, longest) in lengths.items():
        inside = folder / f"{name}_{kind}_txtClips" / f"p{run}"
        files = sorted(f for f in inside.glob("*.txt") if not f.name.startswith("."))
        if not files:
            raise UsageError(f"expected a .txt file for each video in {inside}, got none")
        for file in files:
            for where, cells in read_lines(file):
                onset, offset, score = parse_find(cells, where)
                if shortest <= offset - onset + 1 <= longest:
                    out.append(ShippedFind(file.stem, kind, onset, offset, score))
    return out


def lgsnet_epochs(folder: Path) -> list[int]:
    """Numbers of the epochs that every subject has a file of. Raises UsageError for none."""
    subjects = sorted(folder.glob("subject_*/test_detection"))
    numbers = [
        {int(m[1]) for f in s.iterdir() if (m := re.fullmatch(r"test_(\d+)\.txt", f.name))}
        for s in subjects
    ]
    common = sorted(set.intersection(*numbers)) if numbers else []
    if not common:
        raise UsageError(
            f"expected subject_NAME/test_detection/test_NUMBER.txt of all subjects in {folder}, "
            "got none"
        )
    return common


def read_lgsnet(folder: Path, epoch: int, threshold: float = 0.0) -> list[ShippedFind]:
    """LGSNet's finds at an epoch that are surer than the threshold, at most LGSNET_MOST of a video.

    folder: its output, with a folder for each subject. Its finds have no kind: their length tells.
    Raises UsageError for no such epoch, TruthError for lines that are no finds.
    """
    epochs = lgsnet_epochs(folder)
    if epoch not in epochs:
        raise UsageError(f"expected an epoch from {epochs[0]} to {epochs[-1]}, got {epoch}")
    taken: dict[str, int] = {}
    out = []
    for file in sorted(folder.glob("subject_*/test_detection/test_*.txt")):
        if int(file.stem.removeprefix("test_")) != epoch:
            continue
        for where, (video, *cells) in read_lines(file):
            onset, offset, score = parse_find(cells, where)
            # Its script reads three digits of the score.
            if int(score * 1000 + 1e-6) / 1000 > threshold and taken.get(video, 0) < LGSNET_MOST:
                taken[video] = taken.get(video, 0) + 1
                kind: Kind = "macro" if offset - onset > LGSNET_MICRO else "micro"
                out.append(ShippedFind(video, kind, onset, max(onset, offset), score))
    return out


def best_lgsnet(folder: Path, truth: Iterable[VideoResult]) -> tuple[int, float, float]:
    """Epoch, threshold and overall F1 that LGSNet's script would pick, by the truth of all tested
    subjects: no result, but what its published figure is.

    A find serves all truths that it reaches, whatever their kind.
    """
    videos = list(truth)
    best = (-1, 0.0, -1.0)
    for epoch in lgsnet_epochs(folder)[LGSNET_FIRST_EPOCH:] or lgsnet_epochs(folder):
        found = read_lgsnet(folder, epoch)
        scores = sorted({f.score for f in found})
        seen = set()
        for threshold in LGSNET_THRESHOLDS:
            below = sum(s <= threshold for s in scores)
            if below not in seen:
                seen.add(below)
                f1 = untyped_f1(read_lgsnet(folder, epoch, threshold), videos)
                best = max(best, (epoch, threshold, f1), key=lambda b: b[2])
    return best


def untyped_f1(found: Sequence[ShippedFind], videos: Sequence[VideoResult]) -> float:
    ids = [VideoId(v.subject, v.video) for v in videos]
    index = VideoIndex(ids)
    place = {name: find_video("", name, index) for name in {f.video for f in found}}
    by_video: dict[VideoId | None, list[Interval]] = {}
    for f in found:
        interval = Interval.from_inclusive(max(f.onset, 1), max(f.offset, 1), f.kind)
        by_video.setdefault(place[f.video], []).append(interval)
    counts = [
        count_hit_truths(v.truth, by_video.get(i, []), typed=False)
        for v, i in zip(videos, ids, strict=True)
    ]
    return overall(counts)["overall"].f1


def read_log_section(path: Path, section: int | None, micro_frames: int) -> list[ShippedFind]:
    """The finds of one section of a log, each once; those of up to `micro_frames` are micro.

    section: 1 or 2 in most logs, for a data set each; None for all rows. Raises UsageError,
    TruthError.
    """
    rows = read_challenge_log(path)
    sections = sorted({r.section for r in rows})
    if section is not None and section not in sections:
        raise UsageError(f"expected a section out of {sections} of {path}, got {section}")
    chosen = dict.fromkeys(
        (r.video, r.found) for r in rows if r.found and section in (None, r.section)
    )
    return [
        ShippedFind(video, "micro" if b - a + 1 <= micro_frames else "macro", a, b)
        for video, (a, b) in chosen
    ]
