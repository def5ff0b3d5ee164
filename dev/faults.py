"""Kill commands at random moments, many times, and check that nothing is lost, half-written or
different.

    python dev/faults.py FOLDER                     every command, 20 kills each
    python dev/faults.py FOLDER --only spot --videos CLIPS --kills 20

Each command first runs undisturbed. Then it is started again and again in another folder and killed
(-9) at a random moment, with all its workers or only one of them, until it has been killed often
enough; then it runs to its end. After each kill every result that can be seen must be whole; at the
end all files must equal the undisturbed ones byte for byte (the run log aside) and no part of a
file may be left. Other things hold for servers and running sources, and where disks refuse:
`fault_review.py` (review), `fault_pair.py` (pair: two servers on one folder), `fault_live.py`
(live) and `fault_disk.py` (read-only) say what.
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
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]
from fault_cases import Case, make_cases
from fault_disk import run_read_only
from fault_live import run_live
from fault_pair import run_pair
from fault_review import run_review

import fesnet

IGNORED_FILES = {"run.jsonl"}  # tells times and interruptions, so it cannot be equal
FINAL_FILES = ("summary.csv", "config.json", "prepared.json")  # what a command writes last


@dataclass
class CaseReport:
    name: str
    kills: int = 0
    workers_killed: int = 0
    starts: int = 0
    files: int = 0
    problems: tuple[str, ...] = ()
    seconds: float = 0.0


def run_case(case: Case, folder: Path, kills: int, seed: int) -> CaseReport:
    """Undisturbed, then disturbed; what differs stands in `problems`."""
    rng = random.Random(f"{case.name} {seed}")
    folder.mkdir(parents=True)
    started, code = time.monotonic(), code_digest()
    undisturbed = start(case.call(folder / "whole"))
    output = undisturbed.communicate()[0]
    lasted = time.monotonic() - started
    if undisturbed.returncode != case.exit_code:
        return CaseReport(
            case.name,
            problems=(f"undisturbed: exit code {undisturbed.returncode}: {output[-300:]}",),
        )
    report, out, problems = CaseReport(case.name), folder / "killed", list[str]()
    while report.kills < kills:
        latest = latest_kill(lasted, kills, short=case.short)
        problems += run_and_kill(case, out, report, rng, rng.uniform(0.5, latest))
        if report.starts > 20 * kills:
            problems.append("it did not get far enough to be killed so often")
            break
        if any((out / name).exists() for name in FINAL_FILES):
            shutil.rmtree(out)  # it came to its end before enough kills: from the beginning
    last = start(case.call(out))
    output = last.communicate()[0]
    report.starts += 1
    if last.returncode != case.exit_code:
        problems.append(f"last start: exit code {last.returncode}: {output[-300:]}")
    if code_digest() != code:
        problems.append(
            "the code of fesnet changed while this went on: it says nothing; run it on a copy "
            "that stays"
        )
    wanted, got = file_digests(folder / "whole"), file_digests(out)
    problems += [
        f"{name}: {'missing' if name not in got else 'other bytes'}"
        for name in wanted
        if wanted[name] != got.get(name)
    ]
    problems += [f"{name}: should not be there" for name in got if name not in wanted]
    report.files, report.problems, report.seconds = (
        len(wanted),
        tuple(problems),
        time.monotonic() - started,
    )
    return report


def latest_kill(lasted: float, kills: int, *, short: bool) -> float:
    """When the latest kill may come, s after a start; lasted: s of an undisturbed run. Starting
    takes its time: a kill in the first seconds tests little. One after the end tests nothing."""
    return min(lasted, max(6.0, lasted if short else 2.5 * lasted / kills))


def run_and_kill(
    case: Case, out: Path, report: CaseReport, rng: random.Random, wait: float
) -> list[str]:
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
        os.kill(
            process.pid, signal.SIGKILL
        )  # the main process alone: its workers must follow by themselves
        report.kills += 1
    _, alive = psutil.wait_procs(children, timeout=20)
    process.communicate()
    return damaged_results(out) + [f"a worker outlived its parent: {p.pid}" for p in alive]


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


def damaged_results(out: Path) -> list[str]:
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
    return subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",  # names may hold bytes that are no UTF-8
    )


def file_digests(folder: Path) -> dict[str, str]:
    """sha256 of every file below a folder, hidden ones too."""
    files = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.name not in IGNORED_FILES)
    return {
        p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path, help="a new folder for everything")
    parser.add_argument("--only", help="one command of the table")
    parser.add_argument("--videos", type=Path, help="clips for spot and live; default: made")
    parser.add_argument("--count", type=int, default=200, help="how many clips to make")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    options.folder.mkdir(parents=True)
    bad = 0
    for case in make_cases(options.folder, options.videos, options.count, options.only):
        if options.only in (None, case.name):
            r = run_case(case, options.folder / case.name, options.kills, options.seed)
            bad += print_report(r)
    bad += sum(run_others(options))
    sys.exit(bool(bad))


def run_others(options: argparse.Namespace) -> Iterator[bool]:
    """Whether there were problems, of each that is no run to an end."""
    folder, count, seed = options.folder, options.kills, options.seed
    tools = (start, file_digests, damaged_results)
    clip = next((p for p in sorted(options.videos.iterdir())), None) if options.videos else None
    others: dict[str, tuple[str, Callable[[], tuple[int, int, list[str], float]]]] = {
        "review": (
            "{} kills, {} acknowledged edits",
            lambda: run_review(folder / "review", count, seed),
        ),
        "pair": ("{} kills, {} acknowledged edits", lambda: run_pair(folder / "pair", count, seed)),
        "live": (
            "{} sessions ended, {} intervals told",
            lambda: run_live(folder / "live", count, seed, clip),
        ),
        "read-only": (
            "{} refusals, {} files",
            lambda: run_read_only(folder / "read-only", count, seed, *tools),
        ),
    }
    for name, (words, run) in others.items():
        if options.only in (None, name):
            first, second, problems, seconds = run()
            told = words.format(first, second)
            print(f"{name}: {told}, {seconds:.0f} s: ", end="")
            print("all there" if not problems else "PROBLEMS", *problems, sep="\n  ", flush=True)
            yield bool(problems)


def print_report(r: CaseReport) -> bool:
    """Print a report; whether there were problems."""
    counts = (
        f"{r.kills} kills, {r.workers_killed} workers killed, {r.starts} starts, {r.files} files"
    )
    print(
        f"{r.name}: {counts}, {r.seconds:.0f} s: {'all equal' if not r.problems else 'PROBLEMS'}",
        flush=True,
    )
    for problem in r.problems:
        print(f"  {problem}")
    return bool(r.problems)


if __name__ == "__main__":
    main()
