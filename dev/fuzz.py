"""Broken input by the hundred: nothing may crash, hang, print a traceback or grow; each is answered
by a result or by one clear line.

    python dev/fuzz.py FOLDER              all kinds
    python dev/fuzz.py FOLDER --rounds 3   fewer of each kind that is made at random

Inputs (`fuzz_inputs.py`, `fuzz_world.py`) are made from a small synthetic clip and from results,
tables and weights made of it; the same rounds make the same inputs. Each is given to a worker
process, which counts: what came of it, CPU seconds, memory.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from fuzz_inputs import (
    FRAMES,
    Input,
    broken_results,
    broken_tables,
    broken_weights,
    encode,
    face_image,
    mutated_videos,
    no_videos,
    odd_videos,
)
from fuzz_world import harmful_results, harmful_videos, world_tables, world_videos

from fesnet.errors import FesnetError
from fesnet.jobs import ProcessPool
from fesnet.result import Spotting
from fesnet.spotter import Spotter
from fesnet.weights import load_weights

MAX_CPU_SECONDS = 60.0  # s of CPU time for one short clip


@dataclass(frozen=True)
class InputOutcome:
    """What came of it: "result", "line" (one clear line), or a bug with its words."""

    what: str
    words: str
    seconds: float
    megabytes: float
    peak: float


def read_video(path: str, faces: Any = "largest", rate: float | None = None) -> None:
    found = spotter(faces).spot(path, rate=rate)
    text = found.to_json()
    assert Spotting.from_values(json.loads(text)).intervals == found.intervals


SPOTTERS: dict[str, Spotter] = {}


def spotter(faces: Any) -> Spotter:
    if faces not in SPOTTERS:
        SPOTTERS[faces] = Spotter(faces=faces)
    return SPOTTERS[faces]


def read_result(path: str) -> None:
    from fesnet.exports import ENDINGS, export
    from fesnet.metrics import agree
    from fesnet.report import write_report

    found = Spotting.from_json(Path(path))
    folder = Path(path).with_suffix(".out")
    folder.mkdir(exist_ok=True)
    found.rethreshold(found.rules).to_json(folder / "again.json")
    assert Spotting.from_json(folder / "again.json").provenance == found.provenance
    write_report(found, folder / "report.html")
    agree(Path(path), Path(path))
    export(found, [name for name in ENDINGS if name != "bids"], folder, "x")


def read_manifest(path: str) -> None:
    from fesnet.batch import SpotSettings
    from fesnet.batch import read_manifest as read

    for entry in read(Path(path)):
        SpotSettings().override(entry.overrides)


def read_truth(path: str) -> None:
    from fesnet.metrics import agree

    table = Path(path).with_suffix(".csv")
    shutil.copy(path, table)
    agree(table, table, rate=25)


def read_log(path: str) -> None:
    from fesnet.batch.ledger import LEDGER, BatchLedger

    folder = Path(path).with_suffix(".run")
    folder.mkdir(exist_ok=True)
    shutil.copy(path, folder / LEDGER)
    with BatchLedger(folder) as log:
        log.append_event("end")


def read_rules(path: str) -> None:
    from fesnet.batch import override_rules
    from fesnet.postprocess import IntervalRules

    override_rules(IntervalRules(), Path(path), {})


def read_eaf(path: str) -> None:
    from fesnet.batch import import_truth

    sound, named = Path(path).parent / "sound.json", Path(path).with_suffix(".eaf")
    shutil.copy(path, named)
    import_truth(named, named.with_suffix(".csv"), sound, None, lambda *_: None)


def read_weights(path: str) -> None:
    own = Spotter(path)
    own.spot(np.stack([face_image(t=t) for t in range(3)]), rate=25)


def read_tensors(path: str) -> None:
    from fesnet.model.checkpoint import load_network

    load_network(load_weights(path))


READERS: dict[str, Callable[[str], None]] = {
    "video": read_video,
    "video all": lambda path: read_video(path, "all"),
    "images": lambda path: read_video(path, rate=25.0),
    "result": read_result,
    "manifest": read_manifest,
    "truth": read_truth,
    "log": read_log,
    "rules": read_rules,
    "eaf": read_eaf,
    "weights": read_weights,
    "tensors": read_tensors,
}


def run_input(item: Input) -> InputOutcome:
    """Give one input to its reader. Only errors of fesnet, in one line, are clear."""
    started = time.process_time()
    try:
        READERS[item.kind](item.path)
        what, words = "result", ""
    except FesnetError as error:
        words = str(error)
        what = (
            "line"
            if words.strip() and "\n" not in words and len(words) < 1000
            else "BUG: unclear line"
        )
    except Exception:
        what, words = "BUG: traceback", traceback.format_exc()
    pages = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    seconds = time.process_time() - started
    if seconds > MAX_CPU_SECONDS:
        what = "BUG: hang"
    return InputOutcome(what, words, seconds, pages / 2**20, peak)


def make_all(folder: Path, rounds: int) -> Iterator[Input]:
    """All inputs, made as they are needed."""
    makers: dict[str, Callable[[Path], Iterator[Input]]] = {
        "world": world_videos,
        "harm": harmful_videos,
        "mutated": lambda f: mutated_videos(f, rounds),
        "odd": odd_videos,
        "none": no_videos,
        "results": lambda f: broken_results(f, rounds),
        "tables": lambda f: broken_tables_with_result(f, rounds),
        "weights": lambda f: broken_weights(f, rounds),
    }
    for name, make in makers.items():
        (folder / name).mkdir(parents=True)
        yield from make(folder / name)


def broken_tables_with_result(folder: Path, rounds: int) -> Iterator[Input]:
    clip = encode(folder / "sound.mp4", [face_image(t=t) for t in range(FRAMES)])
    Spotter().spot(clip).to_json(folder / "sound.json")
    yield from harmful_results(folder, folder / "sound.json")
    yield from world_tables(folder)
    yield from broken_tables(folder, rounds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a new folder for everything")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=1)
    options = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    memory, slowest, bugs = [], (0.0, ""), []
    with ProcessPool(options.jobs) as pool:
        items = (
            (f"{i.kind}: {i.group} | {i.path}", i) for i in make_all(options.folder, options.rounds)
        )
        for outcome in pool.map(run_input, items, retries=0):
            group = outcome.key.split(" | ")[0]
            got = outcome.value or InputOutcome("BUG: crash", str(outcome.error), 0.0, 0.0, 0.0)
            counts[group, got.what] += 1
            if group.startswith("video") and got.megabytes:
                memory.append(got.megabytes)  # others load what videos never need
            slowest = max(slowest, (got.seconds, outcome.key))
            if got.what.startswith("BUG"):
                bugs.append(f"{got.what} {outcome.key}\n{got.words}")
                print(bugs[-1][:3000], flush=True)
            peak = got.peak
    for (group, what), number in sorted(counts.items()):
        print(f"{group:32} {what:20} {number}")
    kinds = Counter(what for (_, what), n in counts.items() for _ in range(n))
    print(f"{sum(kinds.values())} inputs: {', '.join(f'{n} {what}' for what, n in kinds.items())}")
    tenth = max(1, len(memory) // 10)
    early, late = np.median(memory[2 * tenth : 3 * tenth]), np.median(memory[-tenth:])
    print(
        f"memory over the videos: {early:.0f} MB after a fifth, {late:.0f} MB at their end; peak "
        f"of all {peak:.0f} MB"
    )
    print(f"slowest: {slowest[0]:.1f} s of CPU, {slowest[1]}")
    sys.exit(bool(bugs))


if __name__ == "__main__":
    main()
