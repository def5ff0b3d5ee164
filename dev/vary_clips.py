"""Changed copies of clips labelled by hand: the interval check learns from them, too.

    python dev/vary_clips.py CLIPS ANNOTATIONS.json OUT

OUT/CHANGE/NAME.mp4 and OUT/CHANGE/annotations.json, as `dev/labelled_clips.py` reads them. Few
clips are labelled; what a check says of an event should not hang on the camera's exposure, on which
side of the face is left, or on where in a frame a step falls. Copies share the person of their
clip, so leaving a person out leaves out the copies. Changes and sizes are our choice.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fesnet._types import Image
from fesnet.video import VideoWriter, open_source

TIMES = ("onset_s", "apex_s", "offset_s")


@dataclass(frozen=True)
class Change:
    """speed: times this; mirrored; scale: of a side; gamma of the brightness (above 1: darker);
    turned: degrees; crf: of the encoder.
    """

    crf: int
    speed: float = 1.0
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
}


def write_copy(clip: Path, out: Path, change: Change) -> None:
    """The copy is not there at all where writing ends early."""
    with open_source(clip) as source:
        frames = iter(source)
        frame = next(frames)
        image = change(frame.image)
        height, width = image.shape[:2]
        rate = float(source.rate or 30) * change.speed
        with VideoWriter(out, rate, width, height, crf=change.crf, timed=True) as writer:
            writer.write(image, frame.time / change.speed)
            for frame in frames:
                writer.write(change(frame.image), frame.time / change.speed)


def changed_truth(truth: dict[str, Any], speed: float, person: str) -> dict[str, Any]:
    """A clip's labels on the clock of a copy that runs at `speed`."""

    def faster(span: dict[str, Any]) -> dict[str, Any]:
        return span | {n: span[n] / speed for n in TIMES if span.get(n) is not None}

    return {
        "person": truth.get("person", person),
        "duration_s": truth["duration_s"] / speed,
        "events": [faster(e) for e in truth["events"]],
        "nuisances": [faster(n) for n in truth.get("nuisances", [])],
        "ignore_s": [[a / speed, b / speed] for a, b in truth.get("ignore_s", [])],
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
                write_copy(args.clips / clip, copy, change)
            person = f"{args.set or args.clips.name}/{clip}"
            copies[copy.name] = changed_truth(truth, change.speed, person)
        (folder / "annotations.json").write_text(json.dumps(copies, indent=1) + "\n")


if __name__ == "__main__":
    main()
