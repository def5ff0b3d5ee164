"""Kill the review server at random moments while edits come in: what it acknowledged must be there
afterwards.
"""

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
JOURNAL = "clip000.review.json"


def run_review(folder: Path, kills: int, seed: int) -> tuple[int, int, list[str], float]:
    """Kills, acknowledged edits, problems, seconds."""
    rng, started, problems = random.Random(f"review {seed}"), time.monotonic(), list[str]()
    clip = next(make_clips(folder / "clips", 1).rglob("*.mp4"))
    work = folder / "work"
    subprocess.run(
        [sys.executable, "-c", CODE, "spot", str(clip), "--out", str(work)],
        check=True,
        capture_output=True,
    )
    known: list[
        int
    ] = []  # edits that were acknowledged, by revision; one more may have been in hand at each kill
    for _ in range(kills):
        problems += one_life(clip, work, known, rng.uniform(0.0, 1.0))
    problems += one_life(clip, work, known, 0.0)
    return kills, len(known), problems, time.monotonic() - started


def one_life(clip: Path, work: Path, known: list[int], wait: float) -> list[str]:
    """Start, look for all that is known, edit until the kill comes `wait` seconds later. Then look
    at the file.
    """
    arguments = ["review", str(clip), "--folder", str(work), "--no-open"]
    with subprocess.Popen(
        [sys.executable, "-c", CODE, *arguments], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        told = [process.stdout.readline() for _ in range(2)][1]
        web = Client(told.removeprefix("open ").strip())
        shown = web.ask("GET", f"/api/videos/{clip.stem}")
        threading.Timer(wait, process.kill).start()
        problems = (
            []
            if whole(shown["revision"], known)
            else [f"shown {shown['revision']}, known {known[-1:]}"]
        )
        revision = shown["revision"]
        try:
            while True:
                at = {"onset_s": 0.01 * (revision % 50), "offset_s": 0.01 * (revision % 50) + 0.3}
                edit = {"revision": revision, "who": "anna", "what": "add", "kind": "micro", **at}
                web.ask("POST", f"/api/videos/{clip.stem}/edits", edit)
                revision += 1
                known.append(revision)
        except (OSError, http.client.HTTPException):  # killed
            process.wait()
    return problems + of_file(work / JOURNAL.replace("clip000", clip.stem), known)


def whole(revision: int, known: list[int]) -> bool:
    """Whether all that was acknowledged is there, and at most the edit in hand besides."""
    return revision - (known[-1] if known else 0) in (0, 1)


def of_file(path: Path, known: list[int]) -> list[str]:
    """What is wrong with the journal after a kill."""
    if not path.is_file():
        return [f"{path.name} is not there"] if known else []
    try:
        numbers = [entry["n"] for entry in json.loads(path.read_text(encoding="utf-8"))["journal"]]
    except (ValueError, KeyError) as error:
        return [f"half-written: {path.name} ({error})"]
    if numbers != list(range(1, len(numbers) + 1)) or not whole(len(numbers), known):
        return [f"{path.name}: {len(numbers)} edits, known {known[-1:]}"]
    return []


class Client:
    """As the page: the address that was printed, then the cookie."""

    def __init__(self, address: str) -> None:
        found = re.fullmatch(r"http://(127\.0\.0\.1:\d+)/(\?token=.*)", address)
        if found is None:
            raise SystemExit(f"expected an address of the review server, got {address!r}")
        self.host, self.cookie = found[1], ""
        line = http.client.HTTPConnection(self.host, timeout=60)
        line.request("GET", f"/{found[2]}")
        self.cookie = str(line.getresponse().headers["set-cookie"]).split(";")[0]
        line.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The answer's JSON. Raises HTTPException for a refusal, OSError where nobody answers."""
        headers = {
            "cookie": self.cookie,
            "origin": f"http://{self.host}",
            "content-type": "application/json",
        }
        line = http.client.HTTPConnection(self.host, timeout=60)
        try:
            line.request(method, path, None if body is None else json.dumps(body), headers)
            answer = line.getresponse()
            data = answer.read()
        finally:
            line.close()
        if answer.status != 200:
            raise SystemExit(f"{method} {path}: {answer.status} {data[:200]!r}")
        return json.loads(data)
