"""End `live --out` at random moments by every signal, and by a reader of its output that goes away:
what it has told must be kept.

A signal or a lost reader ends the source, not the result: NAME.json must be whole and hold each
interval that was told. A kill (-9) leaves NAME.live.jsonl with each of them.
"""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fault_review import CODE

from fesnet.demo import demo_avatar
from fesnet.synth.videos.demo_video import demo_script, encode_script

ENDINGS = ("SIGTERM", "SIGHUP", "SIGINT", "closed", "SIGKILL")
SECONDS = 16.0  # s of a session at most; the video is shorter


def run_live(
    folder: Path, count: int, seed: int, clip: Path | None = None
) -> tuple[int, int, list[str], float]:
    """Sessions, intervals told, problems, seconds. clip: a video of expressions; default: made."""
    rng, started, told, problems = random.Random(f"live {seed}"), time.monotonic(), 0, list[str]()
    folder.mkdir(parents=True)
    video = folder / f"face{clip.suffix if clip else '.mp4'}"
    if clip is None:
        encode_script(demo_avatar(), demo_script(), video)
    else:
        shutil.copy(clip, video)
    for number in range(count):
        how, out = ENDINGS[number % len(ENDINGS)], folder / f"out{number}"
        intervals = run_session(video, out, how, rng.uniform(0.2, SECONDS))
        told += len(intervals)
        problems += [f"session {number} ({how}): {p}" for p in check_session(out, how, intervals)]
    return count, told, problems, time.monotonic() - started


def run_session(video: Path, out: Path, how: str, wait: float) -> list[dict[str, Any]]:
    """Starts it, ends it `wait` s after its first line; the intervals it told."""
    command = [sys.executable, "-c", CODE, "live", str(video), "--json", "--out", str(out)]
    lines: list[str] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines.append(process.stdout.readline())
        until = time.monotonic() + wait
        while time.monotonic() < until and (line := process.stdout.readline()):
            lines.append(line)
        if how == "closed":
            process.stdout.close()
        else:
            process.send_signal(getattr(signal, how))
            lines += process.stdout.readlines()
        process.wait(60)
    whole = [line for line in lines if line.endswith("\n")]
    return [event for event in map(json.loads, whole) if event["event"] == "interval"]


def check_session(out: Path, how: str, told: list[dict[str, Any]]) -> list[str]:
    """Problems of what a session left."""
    log, result = out / "face.live.jsonl", out / "face.json"
    if how == "SIGKILL" and not result.exists():
        text = log.read_text(encoding="utf-8") if log.exists() else ""
        kept = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
    else:
        if log.exists() and how != "SIGKILL":
            return [f"{log.name} is left over"]
        try:
            kept = json.loads(result.read_text(encoding="utf-8"))["intervals"]
        except (OSError, ValueError, KeyError) as error:
            return [f"{result.name}: {error}"]
    places = {(i["kind"], i["onset_frame"], i["offset_frame"]) for i in kept}
    lost = [i for i in told if (i["kind"], i["onset_frame"], i["offset_frame"]) not in places]
    return [f"{len(lost)} of {len(told)} told intervals lost, as {lost[0]}"] if lost else []
