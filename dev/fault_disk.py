"""A folder of results that turns read-only in the middle of a batch, again and again, and is given
free: each refusal is one line, every result that can be seen is whole, and the end equals the
undisturbed run.

As root the folders are made immutable (`chattr +i`), as the rights of files do not bind root.
"""

from __future__ import annotations

import os
import random
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from fault_cases import make_clips

Call = Callable[[Path], list[str]]


def spot_call(clips: Path) -> Call:
    """The arguments of a batch for an output folder."""
    return lambda out: ["spot", str(clips), "--out", str(out), "--jobs", "1"]


def set_writable(folder: Path, *, writable: bool) -> None:
    """Of all folders below a folder, too."""
    for place in [folder, *(p for p in folder.rglob("*") if p.is_dir())]:
        if os.geteuid() == 0:
            subprocess.run(["chattr", "-i" if writable else "+i", str(place)], check=True)
        else:
            place.chmod(0o755 if writable else 0o555)


def run_read_only(
    folder: Path,
    count: int,
    seed: int,
    start: Callable[[list[str]], subprocess.Popen[str]],
    digests: Callable[[Path], dict[str, str]],
    damaged: Callable[[Path], list[str]],
) -> tuple[int, int, list[str], float]:
    """Refusals, files, problems, seconds. start, digests, damaged: of `faults.py`."""
    rng, started, problems = random.Random(f"read-only {seed}"), time.monotonic(), list[str]()
    call = spot_call(make_clips(folder / "clips", 12))
    whole, out = folder / "whole", folder / "out"
    began = time.monotonic()
    start(call(whole)).communicate()
    lasted, refused = time.monotonic() - began, 0
    for _ in range(count):
        out.mkdir(exist_ok=True)
        process = start(call(out))
        time.sleep(rng.uniform(0.3, 1.0) * lasted)
        try:
            set_writable(out, writable=False)
            output = process.communicate()[0]
        finally:
            set_writable(out, writable=True)
        if process.returncode:
            refused += 1
            lines = [line for line in output.splitlines() if line.startswith("fesnet:")]
            if "Traceback" in output or not lines:
                problems.append(f"no clear line: {output[-300:]}")
        problems += damaged(out)
    last = start([*call(out), "--retry-failed"])
    output = last.communicate()[0]
    if last.returncode:
        problems.append(f"last start: exit code {last.returncode}: {output[-300:]}")
    wanted, got = digests(whole), digests(out)
    problems += [f"{name}: other bytes" for name in wanted if wanted[name] != got.get(name)]
    problems += [f"{name}: should not be there" for name in got if name not in wanted]
    return refused, len(wanted), problems, time.monotonic() - started
