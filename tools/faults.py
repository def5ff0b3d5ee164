"""Kill commands at random moments, many times, and check that nothing is lost, half-written or different.

    python tools/faults.py FOLDER                     every command, 20 kills each
    python tools/faults.py FOLDER --only spot --videos CLIPS --kills 20

Each command first runs undisturbed. Then it is started again and again in another folder and killed (-9) at a random
moment, with all its workers or only one of them, until it has been killed often enough; then it runs to its end. After
each kill every result that can be seen must be whole; at the end all files must equal the undisturbed ones byte for
byte (the run log aside) and no part of a file may be left.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import psutil

import fesnet
from fesnet.video import VideoWriter

PORTRAIT = Path(fesnet.__file__).parent / "assets" / "portrait.jpg"
LEFT_OUT = {"run.jsonl"}  # tells times and interruptions, so it cannot be equal
TRAINING = """pair_steps = 6
pair_groups = 2
pair_frames = 2
head_steps = 0
clip_steps = 3
clips = 1
save_every = 1
workers = 0
warmup = 1
"""


@dataclass(frozen=True)
class Case:
    """One command. call: its arguments for an output folder; kept: folders beside `out` that hold its state."""

    name: str
    call: Callable[[Path], list[str]]
    workers: bool = False  # whether single workers are killed, too


@dataclass
class Report:
    name: str
    kills: int = 0
    workers_killed: int = 0
    starts: int = 0
    files: int = 0
    problems: tuple[str, ...] = ()
    seconds: float = 0.0


def run_case(case: Case, folder: Path, kills: int, seed: int) -> Report:
    """Undisturbed, then disturbed; what differs stands in `problems`."""
    rng = random.Random(f"{case.name} {seed}")
    folder.mkdir(parents=True)
    started, code = time.monotonic(), code_digest()
    whole = start(case.call(folder / "whole"))
    output = whole.communicate()[0]
    lasted = time.monotonic() - started
    if whole.returncode:
        return Report(case.name, problems=(f"undisturbed: exit code {whole.returncode}: {output[-300:]}",))
    report, out, problems = Report(case.name), folder / "killed", list[str]()
    while report.kills < kills:
        # Starting takes its time: a kill in the first seconds tests little.
        problems += disturbed(case, out, report, rng, rng.uniform(0.5, max(6.0, 2.5 * lasted / kills)))
        if report.starts > 20 * kills:
            problems.append("it did not get far enough to be killed so often")
            break
        if (out / "summary.csv").exists() or (out / "config.json").exists():
            shutil.rmtree(out)  # it came to its end before enough kills: from the beginning
    last = start(case.call(out))
    output = last.communicate()[0]
    report.starts += 1
    if last.returncode:
        problems.append(f"last start: exit code {last.returncode}: {output[-300:]}")
    if code_digest() != code:
        problems.append("the code of fesnet changed while this went on: it says nothing; run it on a copy that stays")
    wanted, got = tree(folder / "whole"), tree(out)
    problems += [
        f"{name}: {'missing' if name not in got else 'other bytes'}" for name in wanted if wanted[name] != got.get(name)
    ]
    problems += [f"{name}: should not be there" for name in got if name not in wanted]
    report.files, report.problems, report.seconds = len(wanted), tuple(problems), time.monotonic() - started
    return report


def disturbed(case: Case, out: Path, report: Report, rng: random.Random, wait: float) -> list[str]:
    """One start and one kill; what is half-written afterwards."""
    process = start(case.call(out))
    report.starts += 1
    until = time.monotonic() + wait
    if case.workers and rng.random() < 0.5:
        time.sleep(wait * rng.random())
        report.workers_killed += kill_worker(process, rng)
    while time.monotonic() < until and process.poll() is None:
        time.sleep(0.02)
    children = []
    if process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        os.kill(process.pid, signal.SIGKILL)  # the main process alone: its workers must follow by themselves
        report.kills += 1
    _, alive = psutil.wait_procs(children, timeout=20)
    process.communicate()
    return half_written(out) + [f"a worker outlived its parent: {p.pid}" for p in alive]


def kill_worker(process: subprocess.Popen[str], rng: random.Random) -> int:
    try:
        children = psutil.Process(process.pid).children(recursive=True)
        workers = [c for c in children if "spawn_main" in " ".join(c.cmdline())]
        if not workers:
            return 0
        rng.choice(workers).kill()
    except psutil.Error:
        return 0
    return 1


def code_digest() -> str:
    """Of all source files: results of other code may differ for other reasons than kills."""
    sources = sorted(Path(fesnet.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(p.read_bytes() for p in sources)).hexdigest()


def half_written(out: Path) -> list[str]:
    """Results that can be seen and are not whole."""
    problems = []
    for path in out.rglob("*.json") if out.exists() else ():
        if not path.name.startswith("."):
            try:
                json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                problems.append(f"half-written: {path} ({error})")
    return problems


def start(arguments: list[str]) -> subprocess.Popen[str]:
    code = "from fesnet.cli import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def tree(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder, hidden ones too."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in LEFT_OUT)
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}


def make_clips(folder: Path, count: int, frames: int = 40) -> Path:
    """Short clips of the bundled portrait that sways, all different, in ten folders."""
    photo = cv2.imread(str(PORTRAIT))[:, :, ::-1]
    for k in range(count):
        rng = np.random.default_rng(k)
        across, down, period = rng.uniform(2, 9), rng.uniform(1, 4), rng.uniform(4, 12)
        place = folder / f"s{k % 10:02d}"
        place.mkdir(parents=True, exist_ok=True)
        with VideoWriter(place / f"clip{k // 10:03d}.mp4", 25, 320, 240) as writer:
            for t in range(frames):
                x, y = 150 - across * np.sin(t / period), 40 + down * np.cos(t / 5)
                matrix = np.array([[1.4, 0, -1.4 * x + 80], [0, 1.4, -1.4 * y + 20]])
                picture = cv2.warpAffine(photo, matrix, (320, 240), borderMode=cv2.BORDER_REPLICATE)
                writer.write(np.ascontiguousarray(picture))
    return folder


def cases(folder: Path, videos: Path | None, count: int) -> list[Case]:
    """The table of commands."""
    clips = videos or make_clips(folder / "clips", count)
    portraits = folder / "portraits"
    portraits.mkdir(parents=True, exist_ok=True)
    shutil.copy(PORTRAIT, portraits / "one.jpg")
    (folder / "train.toml").write_text(TRAINING, encoding="utf-8")
    config = ["--config", str(folder / "train.toml"), "--resume"]
    spot = ["spot", str(clips), "--jobs", "2", "--retry-failed"]
    return [
        Case("spot", lambda out: [*spot, "--out", str(out)], workers=True),
        Case("train", lambda out: ["train", str(portraits), "--out", str(out), *config]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="a new folder for everything")
    parser.add_argument("--only", help="one command of the table")
    parser.add_argument("--videos", type=Path, help="clips for spot; default: made")
    parser.add_argument("--count", type=int, default=200, help="how many clips to make")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    bad = 0
    for case in cases(options.folder, options.videos, options.count):
        if options.only in (None, case.name):
            r = run_case(case, options.folder / case.name, options.kills, options.seed)
            counts = f"{r.kills} kills, {r.workers_killed} workers killed, {r.starts} starts, {r.files} files"
            print(f"{r.name}: {counts}, {r.seconds:.0f} s: {'all equal' if not r.problems else 'PROBLEMS'}", flush=True)
            for problem in r.problems:
                print(f"  {problem}")
            bad += bool(r.problems)
    sys.exit(bool(bad))


if __name__ == "__main__":
    main()
