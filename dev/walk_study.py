"""Walk through a study as docs/study.md and docs/review.md say, on synthetic videos.

    python dev/walk_study.py STUDY RESULTS [--coded 3] [--portraits FOLDER]

STUDY holds videos.csv (video;participant;condition) and truth.csv (subject, video, kind, frames
from 1). With --portraits both are made first: one clip of each person in each condition. Then
`fesnet spot --manifest STUDY/videos.csv --out RESULTS` runs; finished videos are kept. A coder who
knows the truth reviews videos through the HTTP requests of the page; all other steps are commands.
ELAN, Praat and SPSS files are opened by pympi, praatio and pyreadstat, which know nothing of
fesnet. Prints the seconds of every step, and stops at the first fault.
"""

from __future__ import annotations

import argparse
import csv
import http.client
import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

CLIP_S = 12  # of a clip that is made
# Macro- and micro-expressions a minute of each condition, and the seed of its clips.
CONDITIONS = {"calm": (4, 2, 1), "stress": (10, 6, 2)}
MATCH = 0.5  # IoU from which the coder accepts a proposal
FESNET = [sys.executable, "-m", "fesnet"]
STARTED = time.monotonic()


def say(text: str) -> None:
    print(f"{time.monotonic() - STARTED:6.1f} s  {text}", flush=True)


def run(*arguments: str | Path, expected: int = 0) -> str:
    """A command of fesnet; its output."""
    done = subprocess.run([*FESNET, *map(str, arguments)], capture_output=True, text=True)
    text = done.stdout + done.stderr
    say(f"fesnet {' '.join(map(str, arguments))} -> {done.returncode}")
    if done.returncode != expected:
        raise SystemExit(text)
    return text


def make_study(portraits: Path, study: Path) -> None:
    """A clip of each person of `portraits` in each condition; manifest with semicolons and a
    byte-order mark, and the truth."""
    photos = portraits / "neutral" if (portraits / "neutral").is_dir() else portraits
    hours = CLIP_S * sum(1 for photo in photos.iterdir() if photo.is_file()) / 3600
    rows, truth = [], []
    for condition, (macro, micro, seed) in CONDITIONS.items():
        rates = (
            "--macro",
            str(macro),
            "--micro",
            str(micro),
            "--speech",
            "0.2",
            "--seed",
            str(seed),
        )
        length = ("--hours", f"{hours:.6f}", "--seconds", str(CLIP_S))
        run("synth", portraits, study / condition, *length, *rates, "--jobs", "1")
        for clip in sorted((study / condition).glob("*.mp4")):
            person = clip.stem.partition("_")[0]
            named = clip.rename(study / f"{person}_{condition}.mp4")
            rows.append((named.name, person, condition, seed))
        with (study / condition / "truth.csv").open(encoding="utf-8") as handle:
            truth += [
                {**row, "video": f"{row['subject']}_{condition}.mp4"}
                for row in csv.DictReader(handle)
            ]
    with (study / "videos.csv").open("w", newline="", encoding="utf-8-sig") as handle:
        table = csv.writer(handle, delimiter=";")
        table.writerows([("video", "participant", "condition", "session"), *rows])
    with (study / "truth.csv").open("w", newline="", encoding="utf-8") as handle:
        written = csv.DictWriter(handle, list(truth[0]))
        written.writeheader()
        written.writerows(truth)


class Page:
    """The requests that the page makes."""

    def __init__(self, address: str) -> None:
        found = re.fullmatch(r"http://127\.0\.0\.1:(\d+)/\?token=(.*)", address)
        assert found, address
        self.port, self.cookie = int(found[1]), ""
        self.ask("GET", f"/?token={found[2]}")

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"cookie": self.cookie, "origin": f"http://127.0.0.1:{self.port}"}
        data = None if body is None else json.dumps(body)
        line.request(method, path, data, {**headers, "content-type": "application/json"})
        answer = line.getresponse()
        self.cookie = self.cookie or (answer.getheader("set-cookie") or "").split(";")[0]
        text = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {text!r}")
        return json.loads(text) if text[:1] in (b"{", b"[") else text

    def edit(self, key: str, revision: int, what: str, **fields: Any) -> Any:
        asked = {"revision": revision, "who": "coder", "what": what, **fields}
        return self.ask("POST", f"/api/videos/{quote(key)}/edits", asked)


@contextmanager
def reviewing(results: Path) -> Iterator[Page]:
    command = [*FESNET, "review", str(results), "--no-open"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout
        lines = [server.stdout.readline() for _ in range(2)]
        try:
            yield Page(lines[1].removeprefix("open ").strip())
        finally:
            server.terminate()


def iou(row: dict[str, Any], true: dict[str, Any]) -> float:
    a, b = max(row["onset_frame"], true["first"]), min(row["offset_frame"], true["last"])
    whole = max(row["offset_frame"], true["last"]) - min(row["onset_frame"], true["first"]) + 1
    return float(max(b - a + 1, 0) / whole)


def code_video(page: Page, key: str, truth: list[dict[str, Any]]) -> int:
    """Check what is right, delete what is wrong, add what is missing; returns the edits."""
    view = page.ask("GET", f"/api/videos/{quote(key)}")
    rate = (view["frames"] - 1) / view["duration"]
    missing = list(truth)
    for row in view["intervals"]:
        best = max(missing, key=lambda t: iou(row, t), default=None)
        if best is not None and iou(row, best) >= MATCH and row["kind"] == best["kind"]:
            missing.remove(best)
            view = page.edit(key, view["revision"], "check", id=row["id"], checked=True)
        else:
            view = page.edit(key, view["revision"], "delete", id=row["id"])
    for true in missing:
        span = {"onset_s": true["first"] / rate, "offset_s": true["last"] / rate}
        view = page.edit(key, view["revision"], "add", kind=true["kind"], **span)
    if view["intervals"]:
        first = view["intervals"][0]["id"]
        view = page.edit(key, view["revision"], "note", id=first, note="sure; Größe 2")
    return int(page.edit(key, view["revision"], "done", done=True)["revision"])


def read_truth(study: Path) -> dict[str, list[dict[str, Any]]]:
    out: dict[str, list[dict[str, Any]]] = {}
    with (study / "truth.csv").open(encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            span = {"first": int(row["onset_frame"]) - 1, "last": int(row["offset_frame"]) - 1}
            out.setdefault(Path(row["video"]).stem, []).append({"kind": row["kind"], **span})
    return out


def code(results: Path, truth: dict[str, list[dict[str, Any]]], wanted: int) -> None:
    """Review the first `wanted` videos that are not reviewed yet, as the page proposes them."""
    with reviewing(results) as page:
        videos = page.ask("GET", "/api/videos")
        ready = [v for v in videos if v["result"] and v["progress"] != "complete"][:wanted]
        edits = sum(code_video(page, v["key"], truth.get(stem_of(v), [])) for v in ready)
        after = page.ask("GET", "/api/videos")
        whole = sum(v["progress"] == "complete" for v in after)
        say(f"reviewed {len(ready)} videos with {edits} edits; now {whole} of {len(after)}")


def stem_of(video: dict[str, Any]) -> str:
    return Path(video["name"]).stem


def read_back(results: Path) -> None:
    """Open what was exported with readers that know nothing of fesnet."""
    import pyreadstat
    from praatio import textgrid  # type: ignore[import-untyped]
    from pympi import Elan  # type: ignore[import-untyped]

    rows = list(csv.DictReader((results / "expressions.csv").open(encoding="utf-8")))
    for form, count in (
        ("eaf", lambda p: sum(len(t[0]) for t in Elan.Eaf(str(p)).tiers.values())),
        (
            "TextGrid",
            lambda p: sum(len(t.entries) for t in textgrid.openTextgrid(str(p), False).tiers),
        ),
        ("boris", lambda p: len(json.loads(p.read_text(encoding="utf-8"))["observations"])),
    ):
        files = sorted(results.rglob(f"*.{form}"))
        say(f"{len(files)} {form} files with {sum(map(count, files))} entries")
    data, meta = pyreadstat.read_sav(results / "expressions.sav")
    assert len(data) == len(rows), (len(data), len(rows))
    labels = sum(bool(label) for label in meta.column_labels)
    say(f"expressions.sav: {len(data)} rows, {labels} of {len(meta.column_names)} columns labelled")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("study", type=Path)
    options.add_argument("results", type=Path)
    options.add_argument("--coded", type=int, default=3)
    options.add_argument("--portraits", type=Path, help="photos of people to make STUDY of")
    given = options.parse_args()
    if given.portraits and not (given.study / "videos.csv").is_file():
        make_study(given.portraits, given.study)
    run("spot", "--manifest", given.study / "videos.csv", "--out", given.results, "-q")
    results, truth = given.results, read_truth(given.study)
    code(results, truth, given.coded)
    print(run("tune-rules", "--reviewed", results, expected=2))
    code(results, truth, 10_000)
    rules = results.parent / "lab.toml"
    print(run("tune-rules", "--reviewed", results, "--out", rules))
    asked = ("--rules", rules) if rules.is_file() else ("--micro-threshold", "0.6")
    print(run("rethreshold", results, *asked)[-300:])
    print(run("score", results, results, "--reviewed")[:900])
    print(run("export", results, "--to", "eaf,textgrid,boris")[-200:])
    print(run("summary", results, "--by", "condition", "--spss"))
    read_back(results)


if __name__ == "__main__":
    main()
