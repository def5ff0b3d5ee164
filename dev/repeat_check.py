"""Make the bundled interval check again from the data on, and say whether it is the same.

    python dev/repeat_check.py PORTRAITS FOOTAGE WORK CLIPS [CLIPS ...]

PORTRAITS: `neutral/` and `smiling/` photos of the people of `dev/people.csv`. FOOTAGE: a folder of
clips of people who speak, without expressions. CLIPS: folders of labelled real clips, each with its
`annotations.json`. WORK takes videos and records, 1.9 GB; what is there already is kept, so a run
that was stopped goes on. The fit alone takes two minutes, all before it more than an hour.

What is fitted goes into a copy of the bundled weights, WORK/weights. The last line says whether its
check and thresholds are the bundled ones, to the bit; exit code 0 if so. The network is not trained
anew: the check fits the scores of its weights.
"""

from __future__ import annotations

import argparse
import csv
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from vary_clips import CHANGES

from fesnet._io import file_sha256
from fesnet.weights import CHECK, CONFIG, bundled_weights

DEV = Path(__file__).parent
LABELS = "annotations.json"
RECORDS_OF_CLIPS = "clips"  # one folder for all; copies name their person by it
MIX = "--speech 0.5 --fps 30 --fps 25"
TEST = f"--seconds 120 --macro 5 --micro 5 {MIX}"
NUISANCES = f"--hours 0.25 --seconds 25 --nuisances 1 --macro 4 --micro 5 {MIX}"
# Folder of synthetic video -> whose people, and the options of `fesnet synth`.
VIDEOS = {
    "nuisances": ("train", f"--seed 41 {NUISANCES}"),
    "nuisances-2": ("train", f"--seed 42 {NUISANCES}"),
    "validation": ("validation", f"--hours 0.1667 --seed 11 {TEST}"),
    "test": ("test", f"--hours 0.2667 --seed 12 {TEST}"),
    "clear": (
        "test",
        f"--hours 0.15 --seed 13 {TEST} --macro-strength 0.6-1.2 --micro-strength 0.4-0.9",
    ),
}


def run(*command: object) -> None:
    words = [str(word) for word in command]
    print("+", " ".join(words), flush=True)
    subprocess.run([sys.executable, *words], check=True)


def divide_people(portraits: Path, out: Path) -> None:
    """out/PART/neutral and smiling: copies of the photos of each part's people."""
    with (DEV / "people.csv").open(encoding="utf-8", newline="") as file:
        parts = {row["person"]: row["part"] for row in csv.DictReader(file)}
    for photo in sorted(portraits.glob("*/*")):
        part = parts.get(photo.name[:3])
        if part is not None and photo.parent.name in ("neutral", "smiling"):
            place = out / part / photo.parent.name / photo.name
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(photo, place)


def record(out: Path, videos: Sequence[Path]) -> None:
    run(DEV / "record_tracks.py", out, *videos)


def labelled(folder: Path) -> list[Path]:
    """The videos that a folder's annotations name."""
    return [folder / name for name in json.loads((folder / LABELS).read_text(encoding="utf-8"))]


def make_records(args: argparse.Namespace) -> Iterator[object]:
    """Videos and records of all that is fitted and measured; yields the fit's options."""
    work: Path = args.work
    divide_people(args.portraits, work / "people")
    for name, (part, options) in VIDEOS.items():
        run("-m", "fesnet", "synth", work / "people" / part, work / name, *options.split())
        record(work / "records" / name, sorted((work / name).glob("*.mp4")))
    footage = sorted(p for p in args.footage.rglob("*") if p.is_file())
    record(work / "records/footage", footage)
    for folder in args.clips:
        record(work / "records" / RECORDS_OF_CLIPS, labelled(folder))
        yield from ("--clips", work / "records" / RECORDS_OF_CLIPS, folder / LABELS)
        copies = work / "copies" / folder.name
        run(DEV / "vary_clips.py", folder, folder / LABELS, copies, "--set", RECORDS_OF_CLIPS)
        for change in CHANGES:
            records = work / "records" / f"{folder.name}-{change}"
            record(records, labelled(copies / change))
            yield from ("--changed", records, copies / change / LABELS)
    yield from ("--quiet", work / "records/footage")
    for option, name in (
        *(("--synthetic", "nuisances"), ("--synthetic", "nuisances-2")),
        ("--validate", "validation"),
        *(("--test", "test"), ("--test", "clear")),
    ):
        yield from (option, work / "records" / name, work / name)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("portraits", "footage", "work"):
        parser.add_argument(name, type=Path)
    parser.add_argument("clips", type=Path, nargs="+")
    args = parser.parse_args()
    weights = args.work / "weights"
    shutil.copytree(bundled_weights(), weights, dirs_exist_ok=True)
    run(DEV / "fit_interval_check.py", *make_records(args), "--weights", weights)
    same = all(
        file_sha256(weights / name) == file_sha256(bundled_weights() / name)
        for name in (CHECK, CONFIG)
    )
    print(f"{CHECK}: {file_sha256(weights / CHECK)}, {'as' if same else 'not as'} bundled")
    return 0 if same else 1


if __name__ == "__main__":
    raise SystemExit(main())
