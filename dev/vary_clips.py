"""Changed copies of clips labelled by hand: the interval check learns from them, too.

    python dev/vary_clips.py CLIPS ANNOTATIONS.json OUT

OUT/CHANGE/NAME.mp4 and OUT/CHANGE/annotations.json, as `dev/labelled_clips.py` reads them. Few
clips are labelled; what a check says of an event should not hang on the camera's exposure, on which
side of the face is left, on where in a frame a step falls, or on where the clip starts. Copies
share the person of their clip, so leaving a person out leaves out the copies. Changes and sizes are
our choice.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fesnet._types import Image
from fesnet.evaluation.clip_changes import TrimStart
from fesnet.video import Frame, VideoWriter, open_source

TIMES = ("onset_s", "apex_s", "offset_s")
WHOLE = TrimStart(seconds=0.0)  # nothing is left out


@dataclass(frozen=True)
class Change:
    """speed: times this; mirrored; scale: of a side; gamma of the brightness (above 1: darker);
    turned: degrees; crf: of the encoder; later: what is left out at the start.
    """

    crf: int
    speed: float = 1.0
    later: TrimStart = WHOLE
    mirrored: bool = False
    scale: float = 1.0
    gamma: float = 1.0
    turned: float = 0.0

    def __call__(self, image: Image) -> Image:
        height, width = image.shape[:2]
        seen: Any = image[:, ::-1] if self.mirrored else image
        seen = np.ascontiguousarray(seen)
        if self.turned:
            turn = cv2.getRotationMatrix2D((width / 2, height / 2), self.turned, 1.0)
            seen = cv2.warpAffine(seen, turn, (width, height), borderMode=cv2.BORDER_REFLECT)
        if self.scale != 1:
            seen = cv2.resize(
                seen, None, fx=self.scale, fy=self.scale, interpolation=cv2.INTER_AREA
            )
        values = 255 * (np.arange(256) / 255) ** self.gamma
        seen = cv2.LUT(seen, values.round().astype(np.uint8))
        return np.asarray(seen, np.uint8)


CHANGES = {
    "mirrored": Change(crf=28, mirrored=True),
    "darker": Change(crf=24, scale=0.75, gamma=1.35),
    "faster": Change(crf=22, speed=1.15, turned=5.0),
    "slower": Change(crf=26, speed=0.87, turned=-5.0, gamma=0.75),
    "smaller": Change(crf=32, scale=0.5),
    "later": Change(crf=24, later=TrimStart(seconds=1.5, share=0.3)),
}


def changed_frames(clip: Path, change: Change, start: float) -> Iterator[Frame]:
    """The frames of a copy, with the times of its own clock; start: s of the clip."""
    with open_source(clip) as source:
        later = (frame for frame in source if frame.time >= start)
        for index, frame in enumerate(later):
            yield Frame(index, (frame.time - start) / change.speed, change(frame.image))


def write_copy(clip: Path, out: Path, change: Change, truth: dict[str, Any]) -> None:
    """The copy is not there at all where writing ends early."""
    with open_source(clip) as source:
        rate = float(source.rate or 30) * change.speed
    frames = changed_frames(clip, change, change.later.start(truth["duration_s"]))
    first = next(frames)
    height, width = first.image.shape[:2]
    with VideoWriter(out, rate, width, height, crf=change.crf, timed=True) as writer:
        for frame in chain([first], frames):
            writer.write(frame.image, frame.time)


def changed_truth(truth: dict[str, Any], change: Change, person: str) -> dict[str, Any]:
    """A clip's labels on the clock of a copy. What its start cuts is unsure: it counts neither
    way."""
    start = change.later.start(truth["duration_s"])

    def at(time: float) -> float:
        return (time - start) / change.speed

    def moved(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
        out = []
        for span in spans:
            if span["offset_s"] > start:
                cut = {"confidence": "low"} if span["onset_s"] < start else {}
                times = {n: span[n] for n in TIMES if span.get(n) is not None}
                out.append(span | {n: max(0.0, at(t)) for n, t in times.items()} | cut)
        return out

    return {
        "person": truth.get("person", person),
        "duration_s": at(truth["duration_s"]),
        "events": moved(truth["events"]),
        "nuisances": moved(truth.get("nuisances", [])),
        "ignore_s": [[at(a), at(b)] for a, b in truth.get("ignore_s", [])],
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("clips", type=Path)
    parser.add_argument("annotations", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--set", help="name of the clips' records; of their folder if not given")
    args = parser.parse_args()
    truths = json.loads(args.annotations.read_text())
    for name, change in CHANGES.items():
        folder = args.out / name
        folder.mkdir(parents=True, exist_ok=True)
        copies = {}
        for clip, truth in truths.items():
            copy = folder / f"{clip.replace('/', '_')}.mp4"
            if not copy.exists():
                write_copy(args.clips / clip, copy, change, truth)
            person = f"{args.set or args.clips.name}/{clip}"
            copies[copy.name] = changed_truth(truth, change, person)
        (folder / "annotations.json").write_text(json.dumps(copies, indent=1) + "\n")


if __name__ == "__main__":
    main()
