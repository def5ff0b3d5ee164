"""False alarms that each nuisance of the generator raises, and how many posed mouths are found.

    python dev/measure_nuisances.py PORTRAITS WORK --videos 4

Makes calm videos without an expression, others with one nuisance each, and spots them. For posed
mouths, which are expressions, it tells the recall. PORTRAITS: photos (`neutral/`, `smiling/`) of
people that no weights were trained on. WORK keeps everything, so a second call goes on.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Sequence
from pathlib import Path

from walk_study import read_truth, run, say

from fesnet.intervals import Interval
from fesnet.jobs import SerialExecutor
from fesnet.metrics import Counts, count, overall
from fesnet.result import Spotting
from fesnet.study.results import find_results
from fesnet.synth.script.nuisances import NUISANCE_NAMES, POSED_MOUTH
from fesnet.synth.script.plan import VideoPlan
from fesnet.synth.videos.videos import make_videos

CALM = "none"


def film(portraits: Path, out: Path, name: str, videos: int, seconds: float, seed: int) -> None:
    """The videos of one nuisance, or of none; finished ones are kept."""
    nuisances = {} if name == CALM else {"nuisance_share": 1.0, "nuisance_names": (name,)}
    plan = VideoPlan(
        hours=videos * seconds / 3600,
        seconds=seconds,
        seed=seed,
        width=480,
        height=360,
        macro_per_minute=0.0,
        micro_per_minute=0.0,
        speech_share=0.0,
        **nuisances,  # type: ignore[arg-type]
    )
    make_videos(portraits, out, plan, lambda what, share: None, SerialExecutor())


def measure(videos: Path, results: Path, weights: Path | None) -> tuple[Counts, int, float]:
    """Counts at IoU .5, false alarms that meet an episode, minutes."""
    more = ("--weights", weights) if weights else ()
    run("spot", videos, "--out", results, "-q", *more)
    truth, episodes = read_truth(videos), read_episodes(videos / "nuisances.csv")
    counts, meeting, seconds = [], 0, 0.0
    for result in find_results(results):
        spotting = Spotting.from_json(result.path)
        seconds += spotting.seconds
        found = [Interval(i.onset_frame, i.offset_frame + 1, i.kind) for i in spotting.intervals]
        rows = truth.get(result.path.stem, [])
        true = [Interval(t["first"], t["last"] + 1, t["kind"]) for t in rows]
        counts.append(count(true, found))
        own = episodes.get(result.path.stem, [])
        meeting += sum(any(a < i.stop and i.start <= b for a, b in own) for i in found)
    return overall(counts)["overall"], meeting, seconds / 60


def read_episodes(table: Path) -> dict[str, list[tuple[int, int]]]:
    """First and last frame of the episodes of each video, from 0; nothing without a table."""
    episodes: dict[str, list[tuple[int, int]]] = {}
    if table.is_file():
        with table.open(newline="", encoding="utf-8") as handle:
            for row in csv.DictReader(handle):
                span = int(row["onset_frame"]) - 1, int(row["offset_frame"]) - 1
                episodes.setdefault(Path(row["video"]).stem, []).append(span)
    return episodes


def table_row(name: str, counts: Counts, meeting: int, minutes: float) -> str:
    recall = f"{counts.recall:.2f} of {counts.tp + counts.fn}" if name == POSED_MOUTH else ""
    alarms = f"{counts.fp / minutes:.1f}"
    where = "" if name in (CALM, POSED_MOUTH) else f"{meeting} of {counts.fp}"
    return f"| {name} | {minutes:.1f} | {alarms} | {where} | {recall} |"


def main(names: Sequence[str] = (CALM, *NUISANCE_NAMES)) -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("portraits", type=Path)
    options.add_argument("work", type=Path)
    options.add_argument("--videos", type=int, default=4, help="of each nuisance")
    options.add_argument("--seconds", type=float, default=20.0, help="of each video")
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--weights", type=Path)
    options.add_argument("--only-film", action="store_true")
    options.add_argument("--only", nargs="*", choices=names, default=names)
    given = options.parse_args()
    print("| nuisance | minutes | false alarms a minute | that meet an episode | recall |")
    print("|---|---|---|---|---|", flush=True)
    for name in given.only:
        videos, results = (
            given.work / part / name.replace(" ", "-") for part in ("videos", "results")
        )
        say(name)
        film(given.portraits, videos, name, given.videos, given.seconds, given.seed)
        if not given.only_film:
            print(table_row(name, *measure(videos, results, given.weights)), flush=True)


if __name__ == "__main__":
    main()
