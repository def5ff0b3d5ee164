"""Kill the review server at random moments during edits; no acknowledged edit may be lost."""

from __future__ import annotations

import http.client
import json
import random
import re
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from fault_cases import make_clips

CODE = "from fesnet.cli import main; main()"
REVIEW_FILE = "clip000.review.json"


def run_review(folder: Path, kills: int, seed: int) -> tuple[int, int, list[str], float]:
    """Kills, acknowledged edits, problems, seconds."""
    rng, started, problems = random.Random(f"review {seed}"), time.monotonic(), list[str]()
    clip, work = spot_clip(folder)
    known: list[int] = []  # revisions of acknowledged edits; at a kill one more may be on its way
    for _ in range(kills):
        problems += run_until_killed(clip, work, known, rng.uniform(0.0, 1.0))
    problems += run_until_killed(clip, work, known, 0.0)
    return kills, len(known), problems, time.monotonic() - started


def spot_clip(folder: Path) -> tuple[Path, Path]:
    """A clip that is made, and the folder of its result."""
    clip, work = next(make_clips(folder / "clips", 1).rglob("*.mp4")), folder / "work"
    command = [sys.executable, "-c", CODE, "spot", str(clip), "--out", str(work)]
    subprocess.run(command, check=True, capture_output=True)
    return clip, work


def run_until_killed(clip: Path, work: Path, known: list[int], wait: float) -> list[str]:
    """Start the server, check the known edits, edit until the kill after `wait` s, check the file.

    Returns the problems.
    """
    arguments = ["review", str(clip), "--folder", str(work), "--no-open"]
    with subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        address_line = [process.stdout.readline() for _ in range(2)][1]
        client = Client(address_line.removeprefix("open ").strip())
        state = client.ask("GET", f"/api/videos/{clip.stem}")
        threading.Timer(wait, process.kill).start()
        problems = (
            []
            if is_complete(state["revision"], known)
            else [f"shown {state['revision']}, known {known[-1:]}"]
        )
        revision = state["revision"]
        try:
            while True:
                at = {"onset_s": 0.01 * (revision % 50), "offset_s": 0.01 * (revision % 50) + 0.3}
                edit = {"revision": revision, "who": "anna", "what": "add", "kind": "micro", **at}
                client.ask("POST", f"/api/videos/{clip.stem}/edits", edit)
                revision += 1
                known.append(revision)
        except (OSError, http.client.HTTPException):  # killed
            process.wait()
    return problems + check_file(work / REVIEW_FILE.replace("clip000", clip.stem), known)


def is_complete(revision: int, known: list[int]) -> bool:
    """Whether all acknowledged edits are there, and at most one more."""
    return revision - (known[-1] if known else 0) in (0, 1)


def check_file(path: Path, known: list[int]) -> list[str]:
    """Problems of the review file after a kill."""
    if not path.is_file():
        return [f"{path.name} is not there"] if known else []
    try:
        numbers = [entry["n"] for entry in json.loads(path.read_text(encoding="utf-8"))["journal"]]
    except (ValueError, KeyError) as error:
        return [f"half-written: {path.name} ({error})"]
    if numbers != list(range(1, len(numbers) + 1)) or not is_complete(len(numbers), known):
        return [f"{path.name}: {len(numbers)} edits, known {known[-1:]}"]
    return []


class Refused(SystemExit):
    """An answer other than 200, and its words."""

    def __init__(self, status: int, words: str) -> None:
        super().__init__(words)
        self.status = status


class Client:
    """A client like the page: opens the printed address, then sends the cookie."""

    def __init__(self, address: str) -> None:
        found = re.fullmatch(r"http://(127\.0\.0\.1:\d+)/(\?token=.*)", address)
        if found is None:
            raise SystemExit(f"expected an address of the review server, got {address!r}")
        self.host, self.cookie = found[1], ""
        connection = http.client.HTTPConnection(self.host, timeout=60)
        connection.request("GET", f"/{found[2]}")
        self.cookie = str(connection.getresponse().headers["set-cookie"]).split(";")[0]
        connection.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON. Raises Refused for a refusal, HTTPException or OSError where nobody
        answers."""
        headers = {
            "cookie": self.cookie,
            "origin": f"http://{self.host}",
            "content-type": "application/json",
        }
        connection = http.client.HTTPConnection(self.host, timeout=60)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            data = answer.read()
        finally:
            connection.close()
        if answer.status != 200:
            raise Refused(answer.status, f"{method} {path}: {answer.status} {data[:200]!r}")
        return json.loads(data)
