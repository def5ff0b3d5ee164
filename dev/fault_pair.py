"""Two review servers on one folder, both killed at random moments while a person edits in each: no
acknowledged edit may be lost, whichever server took it, and none may be there twice.
"""

from __future__ import annotations

import http.client
import json
import random
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

from fault_review import CODE, Client, Refused, spot_clip

SERVERS = 2


def run_pair(folder: Path, kills: int, seed: int) -> tuple[int, int, list[str], float]:
    """Kills, acknowledged edits, problems, seconds."""
    rng, started = random.Random(f"pair {seed}"), time.monotonic()
    clip, work = spot_clip(folder)
    known: list[str] = []  # who made the acknowledged edits: each a name of its own
    problems: list[str] = []
    rounds = -(-kills // SERVERS)
    for number in range(rounds):
        edit_until_killed(clip, work, known, number, rng.uniform(0.2, 2.0))
        problems += check_edits(work / f"{clip.stem}.review.json", known)
    return rounds * SERVERS, len(known), problems, time.monotonic() - started


def edit_until_killed(clip: Path, work: Path, known: list[str], number: int, wait: float) -> None:
    """Two servers and a client of each; both are killed after `wait` s, the second a moment
    later."""
    command = [sys.executable, "-c", CODE, "review", str(clip), "--folder", str(work), "--no-open"]
    with ExitStack() as stack:
        servers = [
            stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
            for _ in range(SERVERS)
        ]
        clients = []
        for server in servers:
            assert server.stdout is not None
            line = [server.stdout.readline() for _ in range(2)][1]
            clients.append(Client(line.removeprefix("open ").strip()))
        threads = [
            threading.Thread(target=edit, args=(client, clip.stem, f"{number}-{n}", known))
            for n, client in enumerate(clients)
        ]
        for thread in threads:
            thread.start()
        time.sleep(wait)
        for server in servers:
            server.kill()
            time.sleep(0.05)
        for thread in threads:
            thread.join()


def edit(client: Client, key: str, name: str, known: list[str]) -> None:
    """Add expressions until nobody answers. Where the other one was faster, read anew, as the page
    does."""
    path, count = f"/api/videos/{key}", 0
    try:
        revision = client.ask("GET", path)["revision"]
        while True:
            who = f"{name}-{count}"
            at = {"onset_s": 0.01 * (count % 50), "offset_s": 0.01 * (count % 50) + 0.3}
            made = {"revision": revision, "who": who, "what": "add", "kind": "micro", **at}
            try:
                revision = client.ask("POST", f"{path}/edits", made)["revision"]
            except Refused as refused:
                if refused.status != 409:
                    raise
                revision = client.ask("GET", path)["revision"]
                continue
            known.append(who)
            count += 1
    except (OSError, http.client.HTTPException):  # killed
        return


def check_edits(path: Path, known: list[str]) -> list[str]:
    """Problems of the review file: acknowledged edits that it lacks or has twice."""
    if not path.is_file():
        return [f"{path.name} is not there"] if known else []
    try:
        journal = json.loads(path.read_text(encoding="utf-8"))["journal"]
    except (ValueError, KeyError) as error:
        return [f"half-written: {path.name} ({error})"]
    made = [entry["who"] for entry in journal]
    lost = sorted(set(known) - set(made))
    problems = [f"{len(lost)} acknowledged edits lost, as {lost[0]}"] if lost else []
    problems += ["an edit is there twice"] if len(set(made)) < len(made) else []
    if [entry["n"] for entry in journal] != list(range(1, len(journal) + 1)):
        problems.append("edits are not numbered in order")
    return problems
